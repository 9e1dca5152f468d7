//! Counts of what a log holds, in bounded memory however long it is.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::IpAddr;

use config::{PathPattern, Place, Site};
use http::Method;

use super::entry::Entry;
use super::visitor::{Kind, Visitor};

/// Most names of one sort that are told apart; what comes after them is counted together.
const NAMES_MAX: usize = 10_000;

/// Most addresses of one visitor that are told apart.
const ADDRESSES_MAX: usize = 1_000;

/// Most hours of a plot: five weeks.
const HOURS_MAX: usize = 35 * 24;

/// Names by which feeds go.
const FEEDS: [&str; 9] =
    [".rss", ".atom", "/feed", "/feed/", "/feed.xml", "/feed.json", "/rss.xml", "/atom.xml", "/index.xml"];

/// What was counted of one visitor.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) requests: u64,
    pub(super) bytes: u64,
    pub(super) addresses: HashSet<String>,
}

/// A path that might be protected, and what that would have refused.
#[derive(Debug)]
pub(super) struct Protected {
    pub(super) pattern: PathPattern,
    site: Site,
    pub(super) refused: BTreeMap<Kind, u64>,
}

/// Everything that was counted.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) requests: u64,
    pub(super) bytes: u64,
    /// Lines that are not of the format.
    pub(super) skipped: u64,
    pub(super) first: Option<i64>,
    pub(super) last: Option<i64>,
    pub(super) visitors: HashMap<Visitor, Seen>,
    /// By reason, and whether it was carried out.
    pub(super) refusals: BTreeMap<(String, String), u64>,
    pub(super) protected: Vec<Protected>,
    pub(super) feeds: HashMap<String, u64>,
    pub(super) paths: HashMap<String, u64>,
    /// By hour since 1970.
    pub(super) hours: BTreeMap<i64, BTreeMap<Kind, u64>>,
    pub(super) loopback_clients: u64,
    pub(super) unknown_clients: u64,
    pub(super) switched_off: u64,
    /// Whether some were counted together because there were too many.
    pub(super) is_cut: bool,
}

impl Tally {
    /// A tally that also asks what protecting these paths would have refused.
    pub(super) fn new(protected: &[PathPattern]) -> Option<Self> {
        let place = Place { file: std::path::Path::new("report").into(), line: 1 };
        let mut found = Vec::new();
        for pattern in protected {
            let site =
                Site::new("https://report.invalid".parse().ok()?, "http://127.0.0.1".parse().ok()?, place.clone());
            let site = site.protecting([pattern.clone()]);
            found.push(Protected { pattern: pattern.clone(), site, refused: BTreeMap::new() });
        }
        Some(Self { protected: found, ..Self::default() })
    }

    pub(super) fn count(&mut self, entry: &Entry) {
        let visitor = Visitor::of(entry);
        let kind = visitor.kind;
        self.requests += 1;
        self.bytes += entry.bytes;
        self.first = self.first.into_iter().chain(entry.at).min();
        self.last = self.last.max(entry.at);
        self.switched_off += u64::from(entry.mode == "off");
        match &entry.client {
            Some(client) => {
                let is_loopback = client.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback());
                self.loopback_clients += u64::from(is_loopback);
            }
            None => self.unknown_clients += 1,
        }
        if let Some(reason) = &entry.reason {
            *self.refusals.entry((reason.clone(), entry.decision.clone())).or_default() += 1;
        }
        for protected in &mut self.protected {
            if kind != Kind::Agent && protected.would_refuse(entry) {
                *protected.refused.entry(kind).or_default() += 1;
            }
        }
        let is_page = matches!(entry.status, 200 | 304) && kind != Kind::Browser && kind != Kind::Agent;
        if is_page && FEEDS.iter().any(|name| entry.path.ends_with(name)) {
            self.is_cut |= !add(&mut self.feeds, &entry.path);
        }
        self.is_cut |= !add(&mut self.paths, &entry.path);
        if let Some(at) = entry.at {
            let hour = at.div_euclid(3600);
            if self.hours.len() < HOURS_MAX || self.hours.contains_key(&hour) {
                *self.hours.entry(hour).or_default().entry(kind).or_default() += 1;
            }
        }
        self.visit(visitor, entry);
    }

    fn visit(&mut self, visitor: Visitor, entry: &Entry) {
        let is_known = self.visitors.contains_key(&visitor) || self.visitors.len() < NAMES_MAX;
        self.is_cut |= !is_known;
        let visitor = if is_known { visitor } else { Visitor { kind: visitor.kind, name: "(others)".to_owned() } };
        let seen = self.visitors.entry(visitor).or_default();
        seen.requests += 1;
        seen.bytes += entry.bytes;
        if let Some(client) = &entry.client
            && seen.addresses.len() < ADDRESSES_MAX
        {
            seen.addresses.insert(client.clone());
        }
    }

    /// All of one kind.
    pub(super) fn requests_of(&self, kind: Kind) -> u64 {
        self.visitors.iter().filter(|(visitor, _)| visitor.kind == kind).map(|(_, seen)| seen.requests).sum()
    }
}

impl Protected {
    /// As the gateway would judge it: a path that can be read as a protected one is refused too.
    fn would_refuse(&self, entry: &Entry) -> bool {
        let method = Method::from_bytes(entry.method.as_bytes()).unwrap_or(Method::GET);
        match filters::judge_path(&self.site, &method, entry.path.as_bytes()) {
            Ok(asks) => asks.as_str() == "passport",
            Err(reason) => reason == filters::Reason::PathAmbiguous,
        }
    }
}

/// Counts a name, if it is one of those that are told apart.
fn add(counts: &mut HashMap<String, u64>, name: &str) -> bool {
    if let Some(count) = counts.get_mut(name) {
        *count += 1;
        return true;
    }
    let has_room = counts.len() < NAMES_MAX;
    if has_room {
        counts.insert(name.to_owned(), 1);
    }
    has_room
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protecting_a_path_is_judged_as_the_gateway_would() {
        let mut tally = Tally::new(&["/search/*".parse().unwrap()]).unwrap();
        for (path, agent) in [
            ("/search", None),
            ("/search/a", None),
            ("/x/..%2fsearch/a", None),
            ("/searches", None),
            ("/search/b", Some("a-1")),
        ] {
            let entry =
                Entry { method: "GET".into(), path: path.into(), agent: agent.map(str::to_owned), ..Entry::default() };
            tally.count(&entry);
        }
        assert_eq!(tally.protected[0].refused.values().sum::<u64>(), 3);
    }

    #[test]
    fn memory_is_bounded_and_the_report_says_so() {
        let mut tally = Tally::new(&[]).unwrap();
        for number in 0..(NAMES_MAX + 500) {
            let entry = Entry {
                path: format!("/{number}"),
                user_agent: format!("bot{number}/1"),
                client: Some(format!("10.0.{}.{}", number / 256, number % 256)),
                at: Some(i64::try_from(number).unwrap() * 3600),
                ..Entry::default()
            };
            tally.count(&entry);
        }
        assert!(tally.is_cut && tally.paths.len() == NAMES_MAX && tally.visitors.len() <= NAMES_MAX + 1);
        assert_eq!((tally.hours.len(), tally.requests), (HOURS_MAX, 10_500));
        assert_eq!(tally.requests_of(Kind::Program), 10_500);
    }
}
