//! The files of `examples/` are what an operator starts from: each loads, and says what its comments say.

use std::fs;
use std::path::{Path, PathBuf};

use crate::{Gateway, Issuer, Mode, StoreLocation, starter};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")
}

fn gateway(name: &str) -> Gateway {
    Gateway::load(&folder().join(name), &|_| None).unwrap_or_else(|error| panic!("{error}"))
}

fn issuer(name: &str) -> Issuer {
    Issuer::load(&folder().join(name), &|_| None).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn every_example_loads() {
    let mut count = 0;
    for entry in fs::read_dir(folder()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if !name.ends_with(".toml") {
            continue;
        }
        if name.starts_with("issuer") {
            drop(issuer(&name))
        } else {
            drop(gateway(&name))
        }
        count += 1;
    }
    assert_eq!(count, 9);
}

#[test]
fn minimal_is_what_lime_init_writes() {
    let url = "https://shop.example.com".parse().unwrap();
    let origin = "http://127.0.0.1:3000".parse().unwrap();
    assert_eq!(fs::read_to_string(folder().join("minimal.toml")).unwrap(), starter(&url, &origin));
    let [site] = &gateway("minimal.toml").sites[..] else { panic!("one site") };
    assert_eq!((&site.url, &site.origin.targets[..], site.mode), (&url, &[origin][..], Mode::Observe));
}

#[test]
fn the_commented_lines_of_minimal_work_when_uncommented() {
    let text = fs::read_to_string(folder().join("minimal.toml")).unwrap();
    let [title, settings @ ..] = &text.lines().collect::<Vec<_>>()[..] else { panic!("empty") };
    assert!(title.starts_with("# lime.toml"));
    let text: Vec<_> = settings.iter().map(|line| line.strip_prefix("# ").unwrap_or(line)).collect();
    let gateway = Gateway::parse(&text.join("\n"), Path::new("lime.toml"), &|_| None).unwrap();
    let [site] = &gateway.sites[..] else { panic!("one site") };
    assert!(site.routes()[0].path.matches(b"/agents/1") && site.lime_issuer().is_some() && site.credential.is_some());
}

#[test]
fn an_example_says_a_default_as_it_is() {
    let (written, default) = (issuer("issuer.toml"), Issuer::in_directory(Path::new("/var/lib/lime")));
    assert_eq!(written.listen, default.listen);
    assert_eq!(written.login_request_ttl, default.login_request_ttl);
    assert_eq!(written.login_passport_ttl, default.login_passport_ttl);
    assert_eq!(written.access_token_ttl, default.access_token_ttl);
    assert_eq!(written.key_publish_ahead, default.key_publish_ahead);
    assert_eq!(written.pow_difficulty, default.pow_difficulty);
    assert_eq!(written.secret, default.secret);
    let (StoreLocation::Sqlite(written), StoreLocation::Sqlite(default)) = (written.store, default.store) else {
        panic!("both are SQLite")
    };
    assert_eq!(written, default);
    assert_eq!(gateway("many-sites.toml").server.grace_period, crate::Server::GRACE_PERIOD);
}

#[test]
fn only_the_examples_that_say_so_warn() {
    assert_eq!(issuer("issuer.toml").warnings(), [""; 0]);
    assert_eq!(issuer("issuer-postgres.toml").warnings(), [""; 0]);
    let warnings = gateway("many-sites.toml").warnings();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("many-sites.toml:16: https://blog.example.com: `mode = \"observe\"`"), "{warnings:?}");
}
