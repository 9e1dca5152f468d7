//! The rules of the house that no compiler holds: which part may use which, which crates stay out, how a folder looks.
//! `ARCHITECTURE.md` says why; this says where.
#![cfg(test)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Which part may use which. A part that is not here may not be.
const DIRECTION: [(&str, &[&str]); 10] = [
    ("pow", &[]),
    ("passport", &[]),
    ("config", &["passport"]),
    ("filters", &["config", "passport", "pow"]),
    ("proxy", &["config", "filters", "passport"]),
    ("issuer", &["config", "passport", "pow"]),
    ("agent", &["passport", "pow"]),
    ("cli", PARTS),
    ("tests", PARTS),
    ("benches", PARTS),
];
const PARTS: &[&str] = &["agent", "config", "filters", "issuer", "passport", "pow", "proxy"];

/// Frameworks, and the only parts that may name them.
const FRAMEWORKS: [(&str, &[&str]); 4] =
    [("pingora", &["proxy"]), ("sqlx", &["issuer"]), ("axum", &["issuer", "cli"]), ("ring", &[])];

/// One TLS stack: none of these is in the tree at all.
const BANNED: [&str; 3] = ["openssl", "openssl-sys", "native-tls"];

/// The version below which a crate has a hole we know of: CVE-2026-2833, -2835 and -2836; CVE-2026-25537.
const FLOORS: [(&str, [u64; 3]); 3] =
    [("pingora", [0, 9, 1]), ("pingora-core", [0, 9, 1]), ("jsonwebtoken", [11, 0, 0])];

/// Names that say nothing of what is inside.
const DRAWERS: [&str; 9] = ["util", "utils", "helper", "helpers", "common", "misc", "shared", "types", "mod"];

const FILE_LINES_MAX: usize = 600;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The packages of the workspace, by the name of their folder.
fn packages() -> BTreeMap<String, Value> {
    let cargo = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1", "--locked"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(cargo.status.success(), "{}", String::from_utf8_lossy(&cargo.stderr));
    let metadata: Value = serde_json::from_slice(&cargo.stdout).unwrap();
    let named = |package: &Value| {
        let name = package["name"].as_str().unwrap();
        let part = name.strip_prefix("lime-").unwrap_or_else(|| panic!("{name} is not called lime-..")).to_owned();
        let manifest = Path::new(package["manifest_path"].as_str().unwrap());
        assert_eq!(manifest, root().join(&part).join("Cargo.toml"), "{name} lies in the folder it is called after");
        (part, package.clone())
    };
    metadata["packages"].as_array().unwrap().iter().map(named).collect()
}

/// What a package names in its manifest, tests and build included.
fn dependencies(package: &Value) -> impl Iterator<Item = &str> {
    package["dependencies"].as_array().unwrap().iter().map(|dependency| dependency["name"].as_str().unwrap())
}

/// Name and version of every crate in Cargo.lock.
fn locked() -> Vec<(String, [u64; 3])> {
    let lock: toml::Table = fs::read_to_string(root().join("Cargo.lock")).unwrap().parse().unwrap();
    let crates = lock["package"].as_array().unwrap().iter();
    let read = |entry: &toml::Value| {
        let version = entry["version"].as_str().unwrap().split(['-', '+']).next().unwrap();
        let numbers: Vec<u64> = version.split('.').map(|number| number.parse().unwrap()).collect();
        (entry["name"].as_str().unwrap().to_owned(), numbers.try_into().unwrap())
    };
    crates.map(read).collect()
}

/// Every source file of the workspace: its path from the root, and its text.
fn sources() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for part in packages().keys() {
        collect(&root().join(part), &mut found);
    }
    assert!(found.len() > 100, "only {} files", found.len());
    found
}

fn collect(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            found.push((path.strip_prefix(root()).unwrap().to_owned(), text));
        }
    }
}

/// Fails with every offender, not with the first.
#[track_caller]
fn none(rule: &str, offenders: impl IntoIterator<Item = String>) {
    let offenders: BTreeSet<String> = offenders.into_iter().collect();
    assert!(offenders.is_empty(), "{rule}:\n{}", offenders.into_iter().collect::<Vec<_>>().join("\n"));
}

#[test]
fn a_part_uses_only_what_lies_below_it() {
    let packages = packages();
    let allowed: BTreeMap<&str, &[&str]> = DIRECTION.into();
    assert_eq!(packages.keys().map(String::as_str).collect::<Vec<_>>(), allowed.keys().copied().collect::<Vec<_>>());
    let offenders = packages.iter().flat_map(|(part, package)| {
        let used = dependencies(package).filter_map(|name| name.strip_prefix("lime-"));
        let allowed = &allowed;
        used.filter(|used| !allowed[part.as_str()].contains(used)).map(move |used| format!("{part} -> {used}"))
    });
    none("against the direction of ARCHITECTURE.md", offenders);
}

#[test]
fn a_framework_is_named_only_where_it_belongs() {
    let packages = packages();
    let offenders = packages.iter().flat_map(|(part, package)| {
        let foreign = move |name: &&str| {
            let family = |framework: &str| *name == framework || name.starts_with(&format!("{framework}-"));
            FRAMEWORKS.iter().any(|(framework, parts)| family(framework) && !parts.contains(&part.as_str()))
        };
        dependencies(package).filter(foreign).map(move |name| format!("{part} names {name}"))
    });
    none("a framework outside its part", offenders);
}

#[test]
fn no_second_tls_stack_is_locked() {
    let banned = locked().into_iter().filter(|(name, _)| BANNED.contains(&name.as_str())).map(|(name, _)| name);
    none("banned crates in Cargo.lock", banned);
    let sqlite = locked().into_iter().filter(|(name, _)| name == "libsqlite3-sys").count();
    assert_eq!(sqlite, 1, "libsqlite3-sys in Cargo.lock");
}

#[test]
fn ring_is_there_for_pingora_alone() {
    let lock: toml::Table = fs::read_to_string(root().join("Cargo.lock")).unwrap().parse().unwrap();
    let names = |entry: &toml::Value| {
        let used = entry.get("dependencies").and_then(toml::Value::as_array);
        used.is_some_and(|used| used.iter().any(|used| used.as_str().unwrap().split(' ').next() == Some("ring")))
    };
    let users = lock["package"].as_array().unwrap().iter().filter(|entry| names(entry));
    let users: Vec<_> = users.map(|entry| entry["name"].as_str().unwrap()).collect();
    // pingora-rustls 0.9 hashes peer certificates with ring and so switches it on in rustls; our own provider is
    // aws-lc-rs, installed before anything else.
    assert_eq!(users, ["pingora-rustls", "rustls", "rustls-webpki"]);
}

#[test]
fn no_version_with_a_known_hole_is_locked() {
    let locked = locked();
    for (name, floor) in FLOORS {
        assert!(locked.iter().any(|(found, _)| found == name), "{name} is not in Cargo.lock");
        let below = locked.iter().filter(|(found, version)| found == name && *version < floor);
        none("too old", below.map(|(name, version)| format!("{name} {version:?}")));
    }
}

#[test]
fn a_file_is_named_for_what_is_in_it_and_stays_short() {
    let sources = sources();
    let stem = |path: &Path| path.file_stem().unwrap().to_str().unwrap().to_owned();
    let drawers = sources.iter().filter(|(path, _)| DRAWERS.contains(&stem(path).as_str()));
    none("a drawer, or a mod.rs", drawers.map(|(path, _)| path.display().to_string()));
    let long = sources.iter().map(|(path, text)| (path, text.lines().count())).filter(|(_, n)| *n > FILE_LINES_MAX);
    none("more than 600 lines", long.map(|(path, lines)| format!("{}: {lines}", path.display())));
}

#[test]
fn the_gateway_edits_headers_only_by_pingoras_own_verbs() {
    // Through DerefMut an edit would leave Pingora's record of how names are spelt behind.
    let edits = [".headers.insert(", ".headers.append(", ".headers.remove(", ".headers.entry(", ".headers.get_mut("];
    let sources = sources();
    let ours = sources.iter().filter(|(path, _)| path.starts_with("proxy/src") && !path.ends_with("tests.rs"));
    none(
        "header edits",
        ours.flat_map(|(path, text)| {
            let lines = text.lines().enumerate().filter(|(_, line)| edits.iter().any(|edit| line.contains(edit)));
            lines.map(|(number, line)| format!("{}:{}: {}", path.display(), number + 1, line.trim()))
        }),
    );
}

#[test]
fn every_part_is_held_to_the_lints() {
    // They deny what could panic on the way of a request; a part without them would be checked by nobody.
    let manifest = |path: PathBuf| fs::read_to_string(path).unwrap().parse::<toml::Table>().unwrap();
    let parts = packages().into_keys().map(|part| (manifest(root().join(&part).join("Cargo.toml")), part));
    let is_held = |manifest: &toml::Table| manifest.get("lints").and_then(|lints| lints.get("workspace")).is_some();
    none("no `[lints] workspace = true`", parts.filter(|(manifest, _)| !is_held(manifest)).map(|(_, part)| part));
    let lints = manifest(root().join("Cargo.toml"))["workspace"]["lints"]["clippy"].clone();
    let wanted = ["expect_used", "indexing_slicing", "panic", "string_slice", "unwrap_used"];
    none("a lint is gone", wanted.into_iter().filter(|lint| lints.get(lint).is_none()).map(str::to_owned));
}

#[test]
fn every_row_of_the_security_list_has_a_test() {
    // Group C is about challenges, and X2 about upgrades of the binary: neither is there yet.
    let groups = [("H", 8), ("F", 5), ("P", 7), ("O", 4), ("S", 7), ("L", 1), ("T", 10), ("X", 7)];
    let rows = groups.into_iter().flat_map(|(group, count)| (1..=count).map(move |row| format!("{group}{row}")));
    let sources = sources();
    let e2e: Vec<_> = sources.iter().filter(|(path, _)| path.starts_with("tests/e2e")).collect();
    let is_tested = |row: &String| {
        let is_head = |line: &str| line.strip_prefix("/// ").is_some_and(|doc| names_row(doc, row));
        e2e.iter().any(|(_, text)| text.lines().any(is_head))
    };
    let suite = fs::read_to_string(root().join("tests/run")).unwrap();
    let is_a_step =
        |row: &String| suite.lines().any(|line| line.strip_prefix("# ").is_some_and(|doc| names_row(doc, row)));
    none("no test", rows.filter(|row| row != "X2" && !is_tested(row) && !is_a_step(row)));
}

/// Whether a doc comment begins with `ROW:` or a list of rows with this one in it.
fn names_row(doc: &str, row: &str) -> bool {
    doc.split_once(':').is_some_and(|(rows, _)| rows.split(", ").any(|found| found == row))
}

#[test]
fn nothing_waits_by_sleeping_in_a_test() {
    let sources = sources();
    // Made at run time, so that this line is not its own offender.
    let sleep = format!("{}(", "sleep");
    let tests = sources.iter().filter(|(path, _)| {
        let is_test = path.starts_with("tests") || path.ends_with("tests.rs");
        is_test && !path.ends_with("tests/src/wait.rs")
    });
    none(
        "a sleep in a test",
        tests.filter(|(_, text)| text.contains(&sleep)).map(|(path, _)| path.display().to_string()),
    );
}

#[test]
fn every_example_of_a_configuration_is_loaded_by_a_test() {
    let loads = fs::read_to_string(root().join("config/src/examples.rs")).unwrap();
    assert!(loads.contains("fn every_example_loads()"), "config/src/examples.rs loads the folder");
    let examples = fs::read_dir(root().join("config/examples")).unwrap().map(|entry| entry.unwrap().path());
    // What other proxies read lies in a folder of its own, and is started by tests.
    let other = examples.filter(|path| !path.is_dir() && path.extension().is_none_or(|extension| extension != "toml"));
    none("not a configuration, so no test loads it", other.map(|path| path.display().to_string()));
}
