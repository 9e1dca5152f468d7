//! Whether a crawler comes from where its owner says: its address has a name of that owner, and the name has that address.

use std::net::IpAddr;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;

use super::visitor::Crawler;

/// For both questions about one address.
const PATIENCE: Duration = Duration::from_secs(5);

/// Addresses of one crawler that are asked about.
const ADDRESSES_MAX: usize = 8;

/// What DNS says of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// All addresses that were asked about are its owner's.
    Agrees,
    /// At least one is somebody else's.
    Disagrees,
    /// Nobody was asked, or nobody answered.
    NotChecked,
}

impl Verdict {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Agrees => "DNS agrees",
            Self::Disagrees => "DNS disagrees",
            Self::NotChecked => "not checked",
        }
    }
}

/// Asks about some addresses of a crawler.
pub(super) async fn check(crawler: &'static Crawler, addresses: &[String]) -> Verdict {
    let mut questions = JoinSet::new();
    let addresses = addresses.iter().filter_map(|address| address.parse::<IpAddr>().ok());
    for address in addresses.take(ADDRESSES_MAX) {
        questions
            .spawn(timeout(PATIENCE, tokio::task::spawn_blocking(move || proxy::belongs(address, crawler.domains))));
    }
    let mut found = Verdict::NotChecked;
    while let Some(answer) = questions.join_next().await {
        match answer {
            Ok(Ok(Ok(Some(false)))) => return Verdict::Disagrees,
            Ok(Ok(Ok(Some(true)))) => found = Verdict::Agrees,
            // No name, no answer, no time: nothing is known.
            Ok(_) | Err(_) => {}
        }
    }
    found
}
