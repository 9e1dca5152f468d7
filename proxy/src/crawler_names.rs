//! Whether a client that calls itself a crawler has an address of its owner's: the address has a name of that owner, and
//! the name has that address. The DNS is asked beside the requests, a few at a time.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use filters::{Crawler, CrawlerVerdict, CrawlerVerdicts};
use ipnet::IpNet;
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::time::timeout;

/// For both questions about one address.
const PATIENCE: Duration = Duration::from_secs(5);

/// Most addresses that are asked about at a time. Whoever is one too many asks again.
const LOOKUPS_MAX: usize = 8;

/// Looks crawlers up.
#[derive(Debug)]
pub(crate) struct CrawlerNames {
    verdicts: Arc<CrawlerVerdicts>,
    under_way: Arc<Mutex<HashSet<IpNet>>>,
}

impl CrawlerNames {
    pub(crate) fn new(verdicts: Arc<CrawlerVerdicts>) -> Self {
        Self { verdicts, under_way: Arc::default() }
    }

    /// Begins to look an address up, unless somebody does already.
    pub(crate) fn look_up(&self, client: IpAddr, crawler: &'static Crawler) {
        let Ok(runtime) = Handle::try_current() else { return };
        // One of a network at a time, so that no network takes all places.
        let network = network(client);
        {
            let mut under_way = self.under_way.lock();
            if under_way.contains(&network) {
                return;
            }
            if under_way.len() >= LOOKUPS_MAX {
                if crawler.came_from(client) {
                    self.verdicts.keep(client, crawler, CrawlerVerdict::Confirmed);
                }
                return;
            }
            under_way.insert(network);
        }
        let (verdicts, under_way) = (Arc::clone(&self.verdicts), Arc::clone(&self.under_way));
        runtime.spawn(async move {
            let question = tokio::task::spawn_blocking(move || belongs(client, crawler.domains));
            let verdict = match timeout(PATIENCE, question).await {
                Ok(Ok(Some(true))) => CrawlerVerdict::Confirmed,
                Ok(Ok(Some(false))) => CrawlerVerdict::Unconfirmed,
                // Nobody answers: what its owner published once is the next best word.
                Ok(Ok(None) | Err(_)) | Err(_) if crawler.came_from(client) => CrawlerVerdict::Confirmed,
                Ok(Ok(None) | Err(_)) | Err(_) => CrawlerVerdict::NoAnswer,
            };
            tracing::debug!(crawler = crawler.name, ?verdict, "a crawler was looked up");
            verdicts.keep(client, crawler, verdict);
            under_way.lock().remove(&network);
        });
    }
}

/// The network of an address, as wide as one crawler's machines stand together.
fn network(client: IpAddr) -> IpNet {
    let client = client.to_canonical();
    let bits = if client.is_ipv4() { 24 } else { 56 };
    IpNet::new(client, bits).map_or_else(|_| client.into(), |network| network.trunc())
}

/// Whether an address is one of a host below these domains, as the DNS has it both ways. `None` when it says nothing.
///
/// Waits for the system's resolver, which may take seconds.
#[must_use]
pub fn belongs(address: IpAddr, domains: &[&str]) -> Option<bool> {
    if domains.is_empty() {
        return None;
    }
    let name = dns_lookup::lookup_addr(&address).ok()?.trim_end_matches('.').to_ascii_lowercase();
    // Where an address has no name, the system answers with the address itself.
    if name.parse::<IpAddr>().is_ok() {
        return None;
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
        assert_ne!(belongs(IpAddr::from([127, 0, 0, 1]), &["googlebot.com"]), Some(true));
        assert_eq!(belongs(IpAddr::from([127, 0, 0, 1]), &[]), None);
    }
}
