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
        questions.spawn(timeout(PATIENCE, tokio::task::spawn_blocking(move || belongs(address, crawler.domains))));
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

/// `None` when DNS says nothing.
fn belongs(address: IpAddr, domains: &[&str]) -> Option<bool> {
    if domains.is_empty() {
        return None;
    }
    let name = dns_lookup::lookup_addr(&address).ok()?.trim_end_matches('.').to_ascii_lowercase();
    // Where an address has no name, the system answers with the address itself.
    if name.parse::<IpAddr>().is_ok() {
        return Some(false);
    }
    if !is_below(&name, domains) {
        return Some(false);
    }
    let confirmed = dns_lookup::lookup_host(&name).ok()?;
    Some(confirmed.into_iter().any(|found| found.to_canonical() == address.to_canonical()))
}

fn is_below(name: &str, domains: &[&str]) -> bool {
    domains.iter().any(|domain| name == *domain || name.strip_suffix(domain).is_some_and(|front| front.ends_with('.')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_belongs_to_a_domain_only_as_a_whole_label() {
        assert!(is_below("crawl-1.googlebot.com", &["googlebot.com"]));
        assert!(is_below("googlebot.com", &["googlebot.com"]));
        assert!(!is_below("evilgooglebot.com", &["googlebot.com"]));
        assert!(!is_below("googlebot.com.evil.example", &["googlebot.com"]));
    }

    #[test]
    fn this_machine_is_no_crawler_and_an_owner_without_names_is_not_checked() {
        assert_eq!(belongs(IpAddr::from([127, 0, 0, 1]), &["googlebot.com"]), Some(false));
        assert_eq!(belongs(IpAddr::from([127, 0, 0, 1]), &[]), None);
    }
}
