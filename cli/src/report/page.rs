//! A report as one HTML file: no script, nothing fetched, plots as SVG with the numbers beside them.

use super::summary::Summary;
use super::table::{Side, Table, tables};
use super::text::{heading, visible};

const STYLE: &str = "
:root { color-scheme: light dark; --ink: #1d2433; --soft: #5b6475; --line: #d9dee8; --paper: #fff; --card: #f6f8fb;
  --agent: #2e8b57; --crawler: #d98324; --feed-reader: #8f6fc0; --program: #5b7fb5; --browser: #9aa5b8; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9f0; --soft: #9aa5b8; --line: #333b4a; --paper: #14181f;
  --card: #1c222c; --agent: #58c08a; --crawler: #eaa45a; --feed-reader: #b39ae0; --program: #86a7da; --browser: #6b7689; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 60rem; padding: 2.5rem 1.25rem 4rem; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, 'Segoe UI', sans-serif; }
h1 { font-size: 1.9rem; margin: 0 0 .25rem; letter-spacing: -.01em; }
h2 { font-size: 1.15rem; margin: 2.5rem 0 .25rem; }
p { margin: 0 0 .75rem; color: var(--soft); }
.warning { border-left: 3px solid var(--crawler); background: var(--card); padding: .6rem .9rem; color: var(--ink); margin: .75rem 0; }
.scroll { overflow-x: auto; border: 1px solid var(--line); border-radius: .5rem; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; }
th, td { padding: .45rem .8rem; text-align: left; white-space: nowrap; }
th { color: var(--soft); font-weight: 600; background: var(--card); }
tr + tr td { border-top: 1px solid var(--line); }
.number { text-align: right; font-variant-numeric: tabular-nums; }
td:first-child { max-width: 26rem; overflow: hidden; text-overflow: ellipsis; }
pre { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: .8rem 1rem; overflow-x: auto; font-size: .88rem; }
svg { display: block; width: 100%; height: auto; margin: .75rem 0 .25rem; }
svg text { fill: var(--soft); font: 12px system-ui, sans-serif; }
.key { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; margin: 0 0 1rem; padding: 0; list-style: none; font-size: .9rem; color: var(--soft); }
.key svg { display: inline-block; width: .8rem; height: .8rem; margin: 0 .4rem 0 0; vertical-align: -.05rem; }
.agent { fill: var(--agent); } .crawler { fill: var(--crawler); } .feed-reader { fill: var(--feed-reader); }
.program { fill: var(--program); } .browser { fill: var(--browser); }
";

/// The kinds as they are stacked, and as a class names them.
const KINDS: [(&str, &str); 5] = [
    ("agent", "agent"),
    ("crawler", "crawler"),
    ("feed reader", "feed-reader"),
    ("program", "program"),
    ("browser", "browser"),
];

const WIDTH: u64 = 900;
const HEIGHT: u64 = 180;

/// The page.
pub(super) fn page(summary: &Summary) -> String {
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>Who came</title>\n<style>{STYLE}</style>\n<h1>Who came</h1>\n<p>{}</p>\n",
        escaped(&heading(summary))
    );
    for warning in &summary.warnings {
        page += &format!("<p class=\"warning\">{}</p>\n", escaped(warning));
    }
    page += &share(summary);
    page += &hours(summary);
    for table in tables(summary) {
        page += &section(&table);
    }
    page
}

fn section(table: &Table) -> String {
    let class = |side: Side| if side == Side::Right { " class=\"number\"" } else { "" };
    let mut html = format!(
        "<h2>{}</h2>\n<p>{}</p>\n<div class=\"scroll\"><table>\n<tr>",
        escaped(&table.title),
        escaped(table.note)
    );
    for column in &table.columns {
        html += &format!("<th scope=\"col\"{}>{}</th>", class(column.side), column.name);
    }
    html += "</tr>\n";
    for row in &table.rows {
        html += "<tr>";
        for (cell, column) in row.iter().zip(&table.columns) {
            html += &format!("<td{}>{}</td>", class(column.side), escaped(cell));
        }
        html += "</tr>\n";
    }
    html += "</table></div>\n";
    if let Some(paste) = &table.paste {
        html += &format!("<pre>{}</pre>\n", escaped(paste));
    }
    html
}

/// One bar, a part of it for each kind.
fn share(summary: &Summary) -> String {
    if summary.requests == 0 {
        return String::new();
    }
    let of = |kind: &str| summary.kinds.iter().find(|share| share.kind == kind).map_or(0, |share| share.requests);
    let said: Vec<String> =
        summary.kinds.iter().map(|share| format!("{} {:.1} %", share.kind, share.percent)).collect();
    let mut svg = format!(
        "<svg viewBox=\"0 0 {WIDTH} 28\" role=\"img\" aria-label=\"Share of requests: {}\">\n",
        escaped(&said.join(", "))
    );
    let mut before = 0;
    for (kind, class) in KINDS {
        let (from, to) = (before * WIDTH / summary.requests, (before + of(kind)) * WIDTH / summary.requests);
        before += of(kind);
        svg += &format!("<rect class=\"{class}\" x=\"{from}\" y=\"0\" width=\"{}\" height=\"28\"/>\n", to - from);
    }
    svg += "</svg>\n<ul class=\"key\">\n";
    for (kind, class) in KINDS {
        let percent = summary.kinds.iter().find(|share| share.kind == kind).map_or(0.0, |share| share.percent);
        svg += &format!(
            "<li><svg viewBox=\"0 0 1 1\" aria-hidden=\"true\"><rect class=\"{class}\" width=\"1\" height=\"1\"/></svg>{kind} \
             {percent:.1} %</li>\n"
        );
    }
    svg + "</ul>\n"
}

/// A column for each hour, the kinds on top of each other.
fn hours(summary: &Summary) -> String {
    let (Some(first), Some(last)) = (summary.hours.first(), summary.hours.last()) else { return String::new() };
    let highest = summary.hours.iter().map(|hour| hour.by_kind.values().sum::<u64>()).max().unwrap_or_default().max(1);
    let count = u64::try_from((last.at - first.at) / 3600 + 1).unwrap_or(1);
    let mut svg = format!(
        "<h2>Requests by the hour</h2>\n<p>The highest hour has {highest}. Times are UTC.</p>\n\
         <svg viewBox=\"0 0 {WIDTH} {}\" role=\"img\" aria-label=\"Requests by the hour, at most {highest}\">\n\
         <line x1=\"0\" y1=\"{HEIGHT}\" x2=\"{WIDTH}\" y2=\"{HEIGHT}\" stroke=\"currentColor\" stroke-opacity=\".25\"/>\n",
        HEIGHT + 22
    );
    for hour in &summary.hours {
        let place = u64::try_from((hour.at - first.at) / 3600).unwrap_or_default();
        let (from, to) = (place * WIDTH * 10 / count, (place + 1) * WIDTH * 10 / count);
        let width = (to - from).saturating_sub(if count > 200 { 0 } else { 10 }).max(5);
        let mut below = 0;
        for (kind, class) in KINDS {
            let requests = hour.by_kind.get(kind).copied().unwrap_or_default();
            let (low, high) = (below * HEIGHT / highest, (below + requests) * HEIGHT / highest);
            below += requests;
            if high > low {
                svg += &format!(
                    "<rect class=\"{class}\" x=\"{}.{}\" y=\"{}\" width=\"{}.{}\" height=\"{}\"/>\n",
                    from / 10,
                    from % 10,
                    HEIGHT - high,
                    width / 10,
                    width % 10,
                    high - low
                );
            }
        }
    }
    let label = |x: u64, anchor: &str, at: i64| {
        let text = super::summary::time(at);
        let text = text.get(..16).unwrap_or_default().replace('T', " ");
        format!("<text x=\"{x}\" y=\"{}\" text-anchor=\"{anchor}\">{text}</text>\n", HEIGHT + 17)
    };
    svg += &label(0, "start", first.at);
    if count > 1 {
        svg += &label(WIDTH, "end", last.at);
    }
    svg + "</svg>\n"
}

/// Text as it stands in HTML, in an element or in an attribute in double quotes.
fn escaped(text: &str) -> String {
    visible(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_path_can_be_markup() {
        assert_eq!(escaped("/<script>\"&'"), "/&lt;script&gt;&quot;&amp;'");
    }
}
