//! What an operator types, and what is answered when it cannot be.

use std::fs;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use lime_tests::{Issuer, IssuerSetup, Output, forge, lime, until};
use serde_json::json;
use tempfile::TempDir;

#[test]
fn what_was_registered_is_listed_without_its_token() {
    let issuer = Issuer::start();
    let owner = issuer.owner();
    let site = issuer.site(&owner, "https://shop.lime.test");
    let agent = issuer.agent(&owner, &[&site.id]);
    let anywhere = issuer.agent(&owner, &[]);
    let gateway = issuer.gateway(&owner, &[&site.id]);
    for (kind, id, token) in [("site", &site.id, &site.token), ("agent", &agent.id, &agent.token)] {
        let listed = issuer.try_operate(&[kind, "list"]);
        assert!(listed.stdout.contains(id.as_str()) && !listed.stdout.contains(token.as_str()));
    }
    let agents = issuer.list(&["agent", "list"]);
    let find = |id: &str| agents.iter().find(|agent| agent["id"] == id).unwrap().clone();
    assert_eq!(find(&agent.id)["sites"], json!([site.id]));
    assert_eq!(find(&anywhere.id)["sites"], json!(["*"]));
    issuer.operate(&["gateway", "suspend", &gateway.id]);
    assert_eq!(issuer.list(&["gateway", "list"])[0]["status"], "suspended");
    issuer.operate(&["gateway", "resume", &gateway.id]);
    assert_eq!(issuer.list(&["gateway", "list"])[0]["status"], "active");
}

#[test]
fn a_command_that_names_nothing_we_know_changes_nothing() {
    let issuer = Issuer::start();
    let owner = issuer.owner();
    for arguments in [
        &["agent", "suspend", "nobody"][..],
        &["agent", "add", "--owner", "nobody", "--name", "A", "--any-site"],
        &["agent", "add", "--owner", &owner, "--name", "", "--any-site"],
        &["agent", "add", "--owner", &owner, "--name", "A", "--site", "nothing"],
        &["site", "rotate-token", "nothing"],
        &["keys", "revoke", "nothing"],
        &["keys", "revoke", "-nothing"],
    ] {
        let output = issuer.try_operate(arguments);
        assert_eq!((output.code, output.stdout.as_str()), (1, ""), "{arguments:?}: {}", output.stderr);
        assert!(output.stderr.lines().last().unwrap().starts_with("lime: "), "{}", output.stderr);
    }
    for arguments in [
        &["agent", "add", "--owner", &owner, "--name", "A"][..],
        &["site", "add", "--owner", &owner, "--name", "S", "--url", "https://shop.lime.test/path"],
        &["site", "add", "--owner", &owner, "--name", "S", "--url", "ftp://shop.lime.test"],
        &["agent", "suspend"],
    ] {
        assert_eq!(issuer.try_operate(arguments).code, 2, "{arguments:?}");
    }
    assert_eq!(issuer.list(&["agent", "list"]).len(), 0);
}

#[test]
fn a_port_in_use_ends_the_issuer_at_once() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("issuer.toml");
    let config = format!("listen = \"{address}\"\nstore = \"sqlite:x.db\"\nsecret = {{ file = \"s\" }}\n");
    fs::write(&file, config).unwrap();
    let started = Instant::now();
    let output = Output::of(lime(["issuer", "run", "-c", file.to_str().unwrap()]));
    assert_eq!(output.code, 4, "{}", output.stderr);
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    assert!(output.stderr.contains(&address.to_string()), "{}", output.stderr);
}

/// `config` is refused with exit code 3 and these words.
#[track_caller]
fn refused(config: &str, words: &[&str]) {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("issuer.toml");
    fs::write(&file, config).unwrap();
    let output = Output::of(lime(["issuer", "run", "-c", file.to_str().unwrap()]));
    assert_eq!(output.code, 3, "{}", output.stderr);
    words.iter().for_each(|word| assert!(output.stderr.contains(word), "{word} is not in {}", output.stderr));
}

#[test]
fn a_configuration_that_is_wrong_says_where_and_what_instead() {
    refused("listn = \"127.0.0.1:0\"\n", &["issuer.toml:1:1", "listn", "`listen`"]);
    refused("\n\npow_difficulty = 21\n", &["issuer.toml:3:", "20"]);
    refused("login_passport_ttl = \"121s\"\n", &["issuer.toml:1:", "2m"]);
    refused("access_token_ttl = 300\n", &["issuer.toml:1:"]);
    refused("store = \"mysql://x\"\n", &["issuer.toml:1:", "sqlite:"]);
    refused("public_url = \"https://id.example.net/path\"\n", &["issuer.toml:1:"]);
    refused("listen = \"0.0.0.0:0\"\n", &["public_url"]);
    refused("listen = \n", &["issuer.toml:1:"]);
}

#[test]
fn a_key_is_rotated_once_it_was_published_long_enough() {
    let issuer = IssuerSetup::default().setting("key_publish_ahead = \"3s\"").start();
    let agent = issuer.agent(&issuer.owner(), &[]);
    let kid = || forge::header_of(&issuer.token(&agent, "tools.lime.test"))["kid"].as_str().unwrap().to_owned();
    let keys = issuer.list(&["keys", "list"]);
    let next = keys.iter().find(|key| key["state"] == "next").unwrap()["kid"].as_str().unwrap().to_owned();
    let before = kid();
    let answer = issuer.operate(&["keys", "rotate"]);
    assert_eq!(answer["kid"], next.as_str());
    if answer["state"] == "next" {
        assert_eq!(kid(), before, "not before its time");
    }
    until("the next key signs", || kid() == next);
    let published = issuer.jwks();
    let published = String::from_utf8_lossy(&published);
    assert!(published.contains(&before) && published.contains(&next), "the old key stays published");
    let states: Vec<_> = issuer.list(&["keys", "list"]).iter().map(|key| key["state"].to_string()).collect();
    assert!(
        ["\"active\"", "\"next\"", "\"retired\""].iter().all(|state| states.iter().any(|s| s == state)),
        "{states:?}"
    );
}

#[test]
fn a_revoked_key_leaves_the_key_set_for_ever() {
    let mut issuer = Issuer::start();
    let agent = issuer.agent(&issuer.owner(), &[]);
    let old = forge::header_of(&issuer.token(&agent, "tools.lime.test"))["kid"].as_str().unwrap().to_owned();
    issuer.operate(&["keys", "rotate", "--now"]);
    until("another key signs", || forge::header_of(&issuer.token(&agent, "tools.lime.test"))["kid"] != old.as_str());
    issuer.operate(&["keys", "revoke", &old]);
    until("it is not published", || !String::from_utf8_lossy(&issuer.jwks()).contains(&old));
    issuer.restart();
    assert!(!String::from_utf8_lossy(&issuer.jwks()).contains(&old));
}

#[test]
fn private_keys_without_their_secret_are_not_replaced_in_silence() {
    let mut issuer = Issuer::start();
    issuer.process.kill();
    let secret = issuer.file().with_file_name("issuer.secret");
    let kept = fs::read(&secret).unwrap();
    fs::remove_file(&secret).unwrap();
    let output = Output::of(lime(["issuer", "run", "-c", issuer.file().to_str().unwrap()]));
    assert_eq!(output.code, 1, "{}", output.stderr);
    assert!(output.stderr.contains("issuer.secret"), "{}", output.stderr);
    assert!(!secret.exists());
    fs::write(&secret, [7; 32]).unwrap();
    let output = Output::of(lime(["issuer", "run", "-c", issuer.file().to_str().unwrap()]));
    assert_ne!(output.code, 0, "another secret opens nothing");
    fs::write(&secret, kept).unwrap();
    issuer.restart();
}

#[test]
fn the_secret_and_the_store_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let issuer = Issuer::start();
    for name in ["issuer.secret", "issuer.db"] {
        let mode = fs::metadata(issuer.file().with_file_name(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{name} has mode {mode:o}");
    }
}

#[test]
fn a_stop_takes_no_longer_than_what_is_under_way() {
    let mut issuer = Issuer::start();
    let site = issuer.site(&issuer.owner(), "https://shop.lime.test");
    let mut stream = issuer.events(&site);
    let started = Instant::now();
    issuer.process.terminate();
    assert!(issuer.process.ended().success());
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    assert_eq!(stream.next(Duration::from_secs(1), |event| event["type"] != "keepalive"), None, "the stream has ended");
}

#[test]
fn no_command_prints_what_only_its_holder_may_know() {
    let mut issuer = Issuer::start();
    let owner = issuer.owner();
    let site = issuer.site(&owner, "https://shop.lime.test");
    let agent = issuer.agent(&owner, &[&site.id]);
    let mut stream = issuer.events(&site);
    let id = issuer.open_login(&site);
    assert_eq!(issuer.log_in(&id, &agent).status, 200);
    let passport = stream.passport(&id);
    let token = issuer.token(&agent, "tools.lime.test");
    issuer.process.terminate();
    issuer.process.ended();
    let said = issuer.process.said();
    for secret in [&site.token, &agent.token, &passport, &token] {
        assert!(!said.contains(secret.as_str()), "the log holds a credential");
    }
}
