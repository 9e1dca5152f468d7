//! A report as tables, which each of its texts shows in its own way.

use super::summary::Summary;

/// One table.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) title: String,
    /// What to know before reading it.
    pub(super) note: &'static str,
    pub(super) columns: Vec<Column>,
    pub(super) rows: Vec<Vec<String>>,
    /// What to paste into a configuration, if anything.
    pub(super) paste: Option<String>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) side: Side,
}

/// To which side a column is aligned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Left,
    Right,
}

const fn text(name: &'static str) -> Column {
    Column { name, side: Side::Left }
}

const fn number(name: &'static str) -> Column {
    Column { name, side: Side::Right }
}

/// All tables of a report. Those with nothing in them are left out.
pub(super) fn tables(summary: &Summary) -> Vec<Table> {
    let all =
        [kinds(summary), visitors(summary), refusals(summary), if_protected(summary), feeds(summary), paths(summary)];
    all.into_iter().filter(|table| !table.rows.is_empty()).collect()
}

fn kinds(summary: &Summary) -> Table {
    let row = |share: &super::summary::Share| {
        vec![share.kind.to_owned(), share.requests.to_string(), format!("{:.1} %", share.percent)]
    };
    Table {
        title: "Who came".to_owned(),
        note: "Only an agent with a passport has proved who it is; all others are what they call themselves.",
        columns: vec![text("kind"), number("requests"), number("share")],
        rows: summary.kinds.iter().map(row).collect(),
        paste: None,
    }
}

fn visitors(summary: &Summary) -> Table {
    let row = |row: &super::summary::Row| {
        let addresses = if row.addresses == 0 { "?".to_owned() } else { row.addresses.to_string() };
        vec![
            row.name.clone(),
            row.kind.to_owned(),
            row.proof.clone(),
            row.requests.to_string(),
            size(row.bytes),
            addresses,
        ]
    };
    Table {
        title: "The most frequent visitors".to_owned(),
        note: "Crawlers are looked up in DNS with --check-dns, where their owners name the hosts they come from.",
        columns: vec![
            text("visitor"),
            text("kind"),
            text("proof"),
            number("requests"),
            number("bytes"),
            number("addresses"),
        ],
        rows: summary.visitors.iter().map(row).collect(),
        paste: None,
    }
}

fn refusals(summary: &Summary) -> Table {
    let row = |refusal: &super::summary::Refusal| {
        vec![refusal.reason.clone(), refusal.decision.clone(), refusal.requests.to_string()]
    };
    Table {
        title: "Refused, or would be".to_owned(),
        note: "`would_deny` went on because the site only observes: with `enforce` it is refused.",
        columns: vec![text("reason"), text("decision"), number("requests")],
        rows: summary.refusals.iter().map(row).collect(),
        paste: None,
    }
}

fn if_protected(summary: &Summary) -> Table {
    let row = |found: &super::summary::IfProtected| {
        let whom: Vec<String> = found.by_kind.iter().map(|(kind, requests)| format!("{kind} {requests}")).collect();
        vec![found.path.clone(), found.refused.to_string(), whom.join(", ")]
    };
    Table {
        title: "If these paths asked for a passport".to_owned(),
        note: "What would have been refused of the requests in this log.",
        columns: vec![text("path"), number("refused"), text("of whom")],
        rows: summary.if_protected.iter().map(row).collect(),
        paste: None,
    }
}

fn feeds(summary: &Summary) -> Table {
    let plain = summary.feeds.iter().filter(|feed| feed.path.parse::<config::PathPattern>().is_ok());
    let open: Vec<String> = plain.map(|feed| format!("\"{}\"", feed.path)).collect();
    Table {
        title: "Feeds that are read".to_owned(),
        note: "Their readers have no passport. Where more than this is to be protected, keep them open:",
        columns: vec![text("path"), number("requests")],
        rows: summary.feeds.iter().map(|feed| vec![feed.path.clone(), feed.requests.to_string()]).collect(),
        paste: if open.is_empty() { None } else { Some(format!("open = [{}]\n", open.join(", "))) },
    }
}

fn paths(summary: &Summary) -> Table {
    Table {
        title: "The most frequent paths".to_owned(),
        note: "Without their queries.",
        columns: vec![text("path"), number("requests")],
        rows: summary.paths.iter().map(|count| vec![count.path.clone(), count.requests.to_string()]).collect(),
        paste: None,
    }
}

/// Bytes as people read them.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut unit = 0;
    let (mut whole, mut tenths) = (bytes, 0);
    while whole >= 1024 && unit + 1 < UNITS.len() {
        tenths = whole % 1024 * 10 / 1024;
        whole /= 1024;
        unit += 1;
    }
    let unit = UNITS.get(unit).unwrap_or(&"");
    if *unit == "B" || whole >= 100 { format!("{whole} {unit}") } else { format!("{whole}.{tenths} {unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_written_as_people_read_them() {
        for (bytes, expected) in
            [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (200 << 20, "200 MiB"), (u64::MAX, "16777215 TiB")]
        {
            assert_eq!(size(bytes), expected);
        }
    }
}
