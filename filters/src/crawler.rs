//! Crawlers of search engines: what they call themselves, and whether the DNS agrees.
//!
//! A name is looked up beside the requests, never on the way of one: until it is known, the crawler is told to come again.

use std::fmt;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use http::HeaderMap;
use http::header::USER_AGENT;
use ipnet::IpNet;
use moka::Expiry;
use moka::sync::Cache;

/// A crawler whose addresses its operator names in the DNS.
#[derive(Debug, PartialEq, Eq)]
pub struct Crawler {
    /// What its `User-Agent` contains.
    pub name: &'static str,
    /// Where the names of its addresses are.
    pub domains: &'static [&'static str],
    /// Networks it came from when this list was made, for when the DNS does not answer.
    pub networks: &'static [&'static str],
}

/// Those that are known. The networks are of November 2026, as their operators publish them.
pub const CRAWLERS: &[Crawler] = &[
    Crawler { name: "Googlebot", domains: &["googlebot.com", "google.com"], networks: &["66.249.64.0/19"] },
    Crawler {
        name: "bingbot",
        domains: &["search.msn.com"],
        networks: &["157.55.39.0/24", "40.77.167.0/24", "207.46.13.0/24"],
    },
    Crawler { name: "Applebot", domains: &["applebot.apple.com"], networks: &["17.241.208.0/20"] },
    Crawler { name: "YandexBot", domains: &["yandex.ru", "yandex.net", "yandex.com"], networks: &[] },
    Crawler { name: "Baiduspider", domains: &["baidu.com", "baidu.jp"], networks: &[] },
];

/// What the DNS says of a client that calls itself a crawler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrawlerVerdict {
    /// It is.
    Confirmed,
    /// It is not.
    Unconfirmed,
    /// Nobody answered in time.
    NoAnswer,
}

/// What was found out of those that called themselves crawlers, in memory of a bounded size.
pub struct CrawlerVerdicts(Cache<(IpAddr, &'static str), CrawlerVerdict>);

/// How long a verdict is kept.
struct Lives;

impl Expiry<(IpAddr, &'static str), CrawlerVerdict> for Lives {
    fn expire_after_create(
        &self,
        _: &(IpAddr, &'static str),
        verdict: &CrawlerVerdict,
        _: Instant,
    ) -> Option<Duration> {
        Some(match verdict {
            CrawlerVerdict::Confirmed | CrawlerVerdict::Unconfirmed => VERDICT_LIVES,
            CrawlerVerdict::NoAnswer => SILENCE_LIVES,
        })
    }
}

/// Most verdicts that are kept; the oldest go first, and are only looked up again.
const VERDICTS_MAX: u64 = 10_000;

/// Addresses change hands.
const VERDICT_LIVES: Duration = Duration::from_hours(1);

/// A resolver that was silent is asked again soon.
const SILENCE_LIVES: Duration = Duration::from_secs(30);

impl CrawlerVerdicts {
    /// Nothing is known yet.
    #[must_use]
    pub fn new() -> Self {
        Self(Cache::builder().max_capacity(VERDICTS_MAX).expire_after(Lives).build())
    }

    /// What is known of an address.
    pub(crate) fn of(&self, client: IpAddr, crawler: &Crawler) -> Option<CrawlerVerdict> {
        self.0.get(&(client, crawler.name))
    }

    /// Keeps what was found out.
    pub fn keep(&self, client: IpAddr, crawler: &Crawler, verdict: CrawlerVerdict) {
        self.0.insert((client, crawler.name), verdict);
    }
}

impl Default for CrawlerVerdicts {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for CrawlerVerdicts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CrawlerVerdicts").field("count", &self.0.entry_count()).finish_non_exhaustive()
    }
}

impl Crawler {
    /// The one that a client calls itself.
    pub(crate) fn claimed(headers: &HeaderMap) -> Option<&'static Self> {
        let agent = headers.get(USER_AGENT)?.as_bytes();
        let calls_itself =
            |name: &str| agent.windows(name.len()).any(|part| part.eq_ignore_ascii_case(name.as_bytes()));
        CRAWLERS.iter().find(|crawler| calls_itself(crawler.name))
    }

    /// Whether it came from this address when the list was made.
    #[must_use]
    pub fn came_from(&self, client: IpAddr) -> bool {
        let networks = self.networks.iter().filter_map(|network| network.parse::<IpNet>().ok());
        networks.into_iter().any(|network| network.contains(&client.to_canonical()))
    }
}
