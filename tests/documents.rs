//! What is written beside the code says what the code does: alarms, metrics, keys of the configuration, links.
#![cfg(test)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

const PREFIX: &str = "lime_gateway_";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Names in `text` that start with `prefix`, without it.
fn names_after<'a>(text: &'a str, prefix: &str) -> BTreeSet<&'a str> {
    let of_a_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    text.split(prefix)
        .skip(1)
        .map(|rest| rest.split(|c| !of_a_name(c)).next().unwrap())
        .filter(|name| !name.is_empty())
        .collect()
}

/// What the gateway counts. A histogram has its name with three endings.
fn metrics() -> BTreeSet<String> {
    let source =
        text("proxy/src/metrics.rs") + &text("proxy/src/metrics/challenges.rs") + &text("proxy/src/metrics/mcp.rs");
    let mut found = BTreeSet::new();
    for make in ["counters(", "gauges(", "counter(", "gauge("] {
        for rest in source.split(make).skip(1) {
            found.extend(rest.trim_start().strip_prefix('"').map(|rest| rest.split('"').next().unwrap().to_owned()));
        }
    }
    for rest in source.split("HistogramOpts::new(\"").skip(1) {
        let name = rest.split('"').next().unwrap();
        found.extend(["bucket", "count", "sum"].map(|ending| format!("{name}_{ending}")));
    }
    assert!(found.len() > 15, "{found:?}");
    found
}

/// The expressions of the dashboard.
fn expressions() -> Vec<String> {
    let dashboard: Value = serde_json::from_str(&text("packages/grafana/lime-gateway.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let mut ids = BTreeSet::new();
    let mut found = Vec::new();
    for panel in panels {
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "two panels with one id: {panel}");
        assert!(!panel["title"].as_str().unwrap().is_empty());
        for target in panel["targets"].as_array().unwrap() {
            found.push(target["expr"].as_str().unwrap().to_owned());
        }
    }
    found
}

#[track_caller]
fn balanced(expression: &str) {
    for (open, close) in [('(', ')'), ('{', '}'), ('[', ']')] {
        assert_eq!(expression.matches(open).count(), expression.matches(close).count(), "{expression}");
    }
    assert_eq!(expression.matches('"').count() % 2, 0, "{expression}");
}

#[test]
fn every_metric_that_is_shown_or_alarmed_on_is_counted() {
    let counted = metrics();
    for (place, text) in [
        ("the dashboard", expressions().join("\n")),
        ("the alarms", text("packages/prometheus/alerts.yaml")),
        ("docs/operations.md", text("docs/operations.md")),
    ] {
        for name in names_after(&text, PREFIX) {
            // In prose and in `grep` a name may be the beginning of several.
            let known =
                counted.contains(name) || (place.starts_with("docs") && counted.iter().any(|c| c.starts_with(name)));
            assert!(known, "{place} names {PREFIX}{name}, which nothing counts");
        }
    }
    expressions().iter().for_each(|expression| balanced(expression));
}

#[test]
fn every_metric_is_on_the_dashboard() {
    let shown = expressions().join("\n");
    let shown = names_after(&shown, PREFIX);
    let unseen: Vec<String> = metrics()
        .into_iter()
        .filter(|name| {
            !shown.contains(name.as_str()) && !name.ends_with("_seconds_count") && !name.ends_with("_seconds_sum")
        })
        .collect();
    assert_eq!(unseen, [""; 0], "metrics that no panel shows");
}

#[test]
fn each_alarm_has_its_paragraph_and_each_paragraph_its_alarm() {
    let alerts = text("packages/prometheus/alerts.yaml");
    let after = |line: &str, start: &str| line.trim().strip_prefix(start).map(|rest| rest.trim().to_owned());
    let alarms: Vec<String> = alerts.lines().filter_map(|line| after(line, "- alert:")).collect();
    let operations = text("docs/operations.md");
    let paragraphs: Vec<&str> = operations.split("\n### ").skip(1).collect();
    let named: Vec<&str> = paragraphs.iter().map(|paragraph| paragraph.lines().next().unwrap()).collect();
    assert_eq!(alarms, named);
    for (alarm, paragraph) in alarms.iter().zip(paragraphs) {
        for part in ["**Users see:**", "```console\n$ ", "**Then, and undo:**"] {
            assert!(paragraph.contains(part), "{alarm} lacks {part}");
        }
        let link = format!("runbook: docs/operations.md#{}", alarm.to_lowercase());
        assert!(alerts.contains(&link), "{alarm} does not lead to its paragraph");
    }
    let expressions = alerts.lines().skip_while(|line| !line.contains("expr:"));
    let expressions: Vec<&str> =
        expressions.filter(|line| line.starts_with("          ") && !line.contains(": ")).collect();
    assert_eq!(expressions.len(), alarms.len());
    expressions.iter().for_each(|expression| balanced(expression));
}

/// The keys of the configuration, as its sources name them.
fn keys() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders = vec![root().join("config/src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if !path.ends_with("tests.rs") {
                let source = fs::read_to_string(&path).unwrap();
                let named = source.split("Key::new(\"").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned());
                found.extend(named);
            }
        }
    }
    assert!(found.len() > 60, "{found:?}");
    found
}

#[test]
fn every_key_of_the_configuration_is_documented_with_its_default() {
    let page = text("docs/configuration.md");
    let rows: Vec<Vec<&str>> = page
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.trim_matches(['|', ' ']).split(" | ").collect())
        .collect();
    for row in &rows {
        assert!(row.len() == 3 && !row[2].trim().is_empty(), "no default or no reason: {row:?}");
    }
    let named: BTreeSet<&str> = rows.iter().filter_map(|row| row[0].split('`').nth(1)).collect();
    let keys = keys();
    // The two forms of a secret, and what stands in one row with the table it belongs to.
    let elsewhere = ["env", "file", "after", "period", "server_name", "ca", "verify"];
    let missing: Vec<&String> =
        keys.iter().filter(|key| !named.contains(key.as_str()) && !elsewhere.contains(&key.as_str())).collect();
    assert_eq!(missing, [""; 0], "keys that docs/configuration.md does not explain");
    for key in elsewhere {
        assert!(page.contains(&format!("`{key}`")) || page.contains(&format!("{key} = ")), "{key}");
    }
    let unknown: Vec<&&str> = named.iter().filter(|key| !keys.contains(**key)).collect();
    assert_eq!(unknown, [&""; 0], "keys that there are not");
}

#[test]
fn every_link_between_documents_leads_somewhere() {
    let mut pages: Vec<PathBuf> =
        fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path()).collect();
    pages.extend(["README.md", "CONTRIBUTING.md", "SECURITY.md"].map(|page| root().join(page)));
    for page in pages {
        let text = fs::read_to_string(&page).unwrap();
        for target in text.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()) {
            let path = target.split('#').next().unwrap();
            let is_elsewhere = target.contains("://") || path.is_empty();
            assert!(is_elsewhere || page.with_file_name(path).exists(), "{}: {target}", page.display());
        }
    }
}

#[test]
fn the_image_is_small_unprivileged_and_checks_itself() {
    let dockerfile = text("packages/docker/Dockerfile");
    let (_, last) = dockerfile.rsplit_once("\nFROM ").unwrap();
    assert!(last.starts_with("gcr.io/distroless/"), "no shell in it: {last}");
    assert!(!last.contains("\nRUN "), "nothing to run it with");
    for line in ["USER 65532:65532", "ENTRYPOINT [\"/usr/bin/lime\"]", "HEALTHCHECK ", "STOPSIGNAL SIGTERM"] {
        assert!(last.contains(line), "{line}");
    }
    let check = last.lines().find(|line| line.starts_with("HEALTHCHECK")).unwrap();
    assert!(check.contains("CMD [\"/usr/bin/lime\", \"healthcheck\""), "without a shell: {check}");
    for line in last.lines().filter(|line| line.starts_with("COPY ") && !line.contains("--from")) {
        let source = line.split(' ').nth(1).unwrap();
        assert!(root().join(source).exists(), "{source}");
    }
}
