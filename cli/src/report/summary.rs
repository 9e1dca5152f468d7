//! What a report says, before it is a text, a page or a document.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use super::dns::{self, Verdict};
use super::tally::Tally;
use super::visitor::{Kind, Visitor};

/// Rows of a table that are shown; the rest is in the sums.
const ROWS_MAX: usize = 20;

/// What was found out. Members are added, never changed.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    pub(super) requests: u64,
    pub(super) bytes: u64,
    pub(super) skipped_lines: u64,
    /// RFC 3339, to the second.
    pub(super) from: Option<String>,
    pub(super) to: Option<String>,
    pub(super) kinds: Vec<Share>,
    pub(super) visitors: Vec<Row>,
    pub(super) refusals: Vec<Refusal>,
    pub(super) if_protected: Vec<IfProtected>,
    pub(super) feeds: Vec<Count>,
    pub(super) paths: Vec<Count>,
    pub(super) hours: Vec<Hour>,
    pub(super) warnings: Vec<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct Share {
    pub(super) kind: &'static str,
    pub(super) requests: u64,
    pub(super) percent: f64,
}

#[derive(Debug, Serialize)]
pub(super) struct Row {
    pub(super) kind: &'static str,
    pub(super) name: String,
    pub(super) proof: String,
    pub(super) requests: u64,
    pub(super) bytes: u64,
    pub(super) addresses: usize,
}

#[derive(Debug, Serialize)]
pub(super) struct Refusal {
    pub(super) reason: String,
    pub(super) decision: String,
    pub(super) requests: u64,
}

#[derive(Debug, Serialize)]
pub(super) struct IfProtected {
    pub(super) path: String,
    pub(super) refused: u64,
    pub(super) by_kind: BTreeMap<&'static str, u64>,
}

#[derive(Debug, Serialize)]
pub(super) struct Count {
    pub(super) path: String,
    pub(super) requests: u64,
}

#[derive(Debug, Serialize)]
pub(super) struct Hour {
    /// Seconds since 1970.
    pub(super) at: i64,
    pub(super) by_kind: BTreeMap<&'static str, u64>,
}

/// Whether DNS is asked about crawlers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dns {
    Ask,
    Leave,
}

impl Summary {
    pub(super) async fn of(tally: &Tally, dns: Dns) -> Self {
        let share = |kind: Kind| {
            let requests = tally.requests_of(kind);
            Share { kind: kind.as_str(), requests, percent: percent(requests, tally.requests) }
        };
        let refusals = tally.refusals.iter().map(|((reason, decision), requests)| Refusal {
            reason: reason.clone(),
            decision: decision.clone(),
            requests: *requests,
        });
        let if_protected = tally.protected.iter().map(|protected| IfProtected {
            path: protected.pattern.to_string(),
            refused: protected.refused.values().sum(),
            by_kind: by_kind(&protected.refused),
        });
        let mut refusals: Vec<Refusal> = refusals.collect();
        refusals.sort_by_key(|refusal| Reverse(refusal.requests));
        Self {
            requests: tally.requests,
            bytes: tally.bytes,
            skipped_lines: tally.skipped,
            from: tally.first.map(time),
            to: tally.last.map(time),
            kinds: Kind::ALL.map(share).into(),
            visitors: visitors(tally, dns).await,
            refusals,
            if_protected: if_protected.collect(),
            feeds: top(&tally.feeds),
            paths: top(&tally.paths),
            hours: tally.hours.iter().map(|(hour, kinds)| Hour { at: hour * 3600, by_kind: by_kind(kinds) }).collect(),
            warnings: warnings(tally),
        }
    }
}

async fn visitors(tally: &Tally, dns: Dns) -> Vec<Row> {
    let mut all: Vec<(&Visitor, _)> = tally.visitors.iter().collect();
    all.sort_by_key(|(visitor, seen)| (Reverse(seen.requests), visitor.kind, visitor.name.clone()));
    let mut rows = Vec::new();
    for (visitor, seen) in all.into_iter().take(ROWS_MAX) {
        let mut proof = visitor.kind.proof().to_owned();
        if let Some(crawler) = visitor.crawler() {
            let mut addresses: Vec<String> = seen.addresses.iter().cloned().collect();
            addresses.sort();
            let verdict = match dns {
                Dns::Ask => dns::check(crawler, &addresses).await,
                Dns::Leave => Verdict::NotChecked,
            };
            proof = verdict.as_str().to_owned();
        }
        rows.push(Row {
            kind: visitor.kind.as_str(),
            name: visitor.name.clone(),
            proof,
            requests: seen.requests,
            bytes: seen.bytes,
            addresses: seen.addresses.len(),
        });
    }
    rows
}

fn top(counts: &HashMap<String, u64>) -> Vec<Count> {
    let mut all: Vec<_> = counts.iter().collect();
    all.sort_by_key(|(path, requests)| (Reverse(**requests), (*path).clone()));
    let count = |(path, requests): (&String, &u64)| Count { path: path.clone(), requests: *requests };
    all.into_iter().take(ROWS_MAX).map(count).collect()
}

fn by_kind(kinds: &BTreeMap<Kind, u64>) -> BTreeMap<&'static str, u64> {
    kinds.iter().map(|(kind, requests)| (kind.as_str(), *requests)).collect()
}

fn warnings(tally: &Tally) -> Vec<String> {
    let mut found = Vec::new();
    if tally.requests == 0 {
        found.push("no request was found: is this the right --format?".to_owned());
    }
    if tally.skipped > 0 {
        found.push(format!("{} lines are not of the format, and were left out", tally.skipped));
    }
    if tally.requests > 0 && tally.loopback_clients == tally.requests {
        found.push(
            "all clients are this machine itself: a proxy stands in front and its word is not believed; add its address \
             to `trusted_proxies`"
                .to_owned(),
        );
    }
    if tally.unknown_clients > 0 {
        found.push(format!(
            "{} requests have no address of a client, so they are not told apart",
            tally.unknown_clients
        ));
    }
    if tally.switched_off > 0 {
        found.push(format!(
            "{} requests went to a site with `mode = \"off\"`: agents were not recognised",
            tally.switched_off
        ));
    }
    if tally.is_cut {
        found.push("there are more names than are told apart: the rarest are counted together as (others)".to_owned());
    }
    found
}

#[expect(clippy::cast_precision_loss, reason = "a share is shown with one digit")]
fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { (part as f64 * 1000.0 / whole as f64).round() / 10.0 }
}

/// RFC 3339 in UTC, to the second.
pub(super) fn time(at: i64) -> String {
    let (days, second) = (at.div_euclid(86_400), at.rem_euclid(86_400));
    // Days since 1 March of the year 0, in eras of 400 years.
    let shifted = days + 719_468;
    let (era, day) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = year + era * 400 + carry;
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", second / 3600, second / 60 % 60, second % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_as_it_is_read() {
        for (at, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_825_600, "2000-02-29T12:00:00Z"),
            (1_795_597_201, "2026-11-25T09:00:01Z"),
        ] {
            assert_eq!(time(at), expected);
        }
    }
}
