//! What an operator types, and what is answered when it cannot be.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use lime_tests::{Issuer, IssuerSetup, Output, forge, lime, records, until};
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

/// Runs an operator's command with `line` as its stdin.
fn typed(issuer: &Issuer, arguments: &[&str], line: &str) -> Output {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("line");
    fs::write(&file, line).unwrap();
    let place = ["--json", "-c", issuer.file().to_str().unwrap()];
    let mut command = lime(["issuer"].iter().chain(arguments).chain(&place));
    command.stdin(fs::File::open(file).unwrap());
    Output::of(command)
}

#[test]
fn an_owner_gets_a_password_that_no_command_line_holds() {
    const PASSWORD: &str = "correct horse battery staple";
    records::secret(PASSWORD);
    let issuer = Issuer::start();
    let add = ["owner", "add", "--name", "Ada Ltd", "--user", "Ada", "--password"];
    for (line, words) in
        [("", "12 characters"), ("too short\n", "12 characters"), (&format!("{}\n", "x".repeat(1025)), "1,024 bytes")]
    {
        let refused = typed(&issuer, &add, line);
        assert_eq!(refused.code, 1, "{}", refused.stderr);
        assert!(refused.stderr.contains(words), "{}", refused.stderr);
    }
    assert_eq!(issuer.list(&["owner", "list"]).len(), 0, "nobody was registered");
    let added = typed(&issuer, &add, &format!("{PASSWORD}\r\nand more")).json_lines().remove(0);
    assert_eq!(added["user"], "Ada");
    let taken = typed(&issuer, &["owner", "add", "--name", "Eve", "--user", "aDa", "--password"], PASSWORD);
    assert!(taken.code == 1 && taken.stderr.contains("choose another --user"), "{}", taken.stderr);
    assert_eq!(issuer.list(&["owner", "list"]).len(), 1, "not registered without its name");
    let other = issuer.owner();
    let owner = added["owner_id"].as_str().unwrap();
    for (id, user, code) in [(owner, "lovelace", 0), (&other, "lovelace", 1), (&other, "a b", 1), ("nobody", "eve", 1)]
    {
        let set = typed(&issuer, &["owner", "password", id, "--user", user], PASSWORD);
        assert_eq!(set.code, code, "{user}: {}", set.stderr);
    }
    for usage in [&["owner", "add", "--name", "A", "--user", "a"][..], &["owner", "add", "--name", "A", "--password"]] {
        assert_eq!(typed(&issuer, usage, PASSWORD).code, 2, "one without the other");
    }
    let store = fs::read(issuer.file().with_file_name("issuer.db")).unwrap();
    assert!(!store.windows(PASSWORD.len()).any(|window| window == PASSWORD.as_bytes()));
}

#[test]
fn a_resource_lies_under_its_site_and_has_scopes_in_words() {
    let issuer = Issuer::start();
    let owner = issuer.owner();
    let site = issuer.site(&owner, "https://tools.lime.test").id;
    let add = |url: &str, scopes: &[&str]| {
        let mut arguments = vec!["resource", "add", "--site", &site, "--url", url];
        scopes.iter().for_each(|scope| arguments.extend(["--scope", scope]));
        issuer.try_operate(&arguments)
    };
    let read = "mcp:read=Read your notes";
    let added = add("HTTPS://Tools.lime.test/mcp", &[read, "mcp:write=Change = rewrite them"]).json_lines().remove(0);
    assert_eq!(added["url"], "https://tools.lime.test/mcp");
    assert_eq!(add("https://tools.lime.test/", &[read]).json_lines()[0]["url"], "https://tools.lime.test");
    for (url, scopes, code, words) in [
        ("https://tools.lime.test/mcp", &[read][..], 1, "resource already"),
        ("https://other.lime.test/mcp", &[read], 1, "not under https://tools.lime.test"),
        ("https://tools.lime.test:8443/mcp", &[read], 1, "not under https://tools.lime.test"),
        ("https://tools.lime.test/b", &[read, "mcp:read=Again"], 1, "leave one out"),
        ("http://tools.lime.test/mcp", &[read], 2, "https"),
        ("https://tools.lime.test/mcp?x=y", &[read], 2, "no ?"),
        ("https://tools.lime.test/b#c", &[read], 2, "no #"),
        ("https://ada@tools.lime.test/b", &[read], 2, ""),
        ("https://tools.lime.test/b", &[], 2, "--scope"),
        ("https://tools.lime.test/b", &["mcp:read"], 2, "NAME=WORDS"),
        ("https://tools.lime.test/b", &["mcp read=Read"], 2, "without space"),
    ] {
        let refused = add(url, scopes);
        assert_eq!((refused.code, refused.stdout.as_str()), (code, ""), "{url} {scopes:?}: {}", refused.stderr);
        assert!(refused.stderr.contains(words), "{words}: {}", refused.stderr);
    }
    let listed = issuer.list(&["resource", "list"]);
    assert_eq!(listed.len(), 2);
    assert_eq!((&listed[0]["site_id"], &listed[0]["status"]), (&json!(site), &json!("active")));
    assert_eq!(listed[0]["scopes"][1], json!({ "name": "mcp:write", "description": "Change = rewrite them" }));
    let id = added["resource_id"].as_str().unwrap();
    assert_eq!(issuer.operate(&["resource", "remove", id])["status"], "removed");
    assert_eq!(issuer.try_operate(&["resource", "remove", id]).code, 1);
    assert_eq!(issuer.list(&["resource", "list"]).len(), 1);
}

#[test]
fn a_client_has_a_secret_that_is_shown_once_or_keys_of_its_own() {
    let issuer = Issuer::start();
    let agent = issuer.agent(&issuer.owner(), &[]).id;
    let by_secret = issuer.operate(&["client", "add", "--agent", &agent, "--name", "Nightly"]);
    let secret = by_secret["client_secret"].as_str().unwrap();
    records::secret(secret);
    assert!(secret.starts_with("cs_"));

    let folder = TempDir::new().unwrap();
    let file = folder.path().join("client.jwks");
    let with_keys = |keys: serde_json::Value| {
        fs::write(&file, json!({ "keys": keys }).to_string()).unwrap();
        issuer.try_operate(&["client", "add", "--agent", &agent, "--name", "Signs", "--jwks", file.to_str().unwrap()])
    };
    let public = json!({ "kty": "OKP", "crv": "Ed25519", "x": "Ao5mWjUQ4YQd6a-mdI0OowME7XgymJFleEfMVclcIh4" });
    let by_keys = with_keys(json!([&public])).json_lines().remove(0);
    assert_eq!(by_keys.get("client_secret"), None);
    let mut private = public;
    private["d"] = json!("AAAA");
    for (keys, words) in [
        (json!([private]), "not public"),
        (json!([{ "kty": "oct", "k": "AAAA" }]), "--jwks"),
        (json!([]), "--jwks"),
        (json!("none"), "--jwks"),
    ] {
        let refused = with_keys(keys);
        assert!(refused.code == 1 && refused.stderr.contains(words), "{words}: {}", refused.stderr);
    }
    fs::write(&file, "x".repeat(100_000)).unwrap();
    for arguments in [
        ["client", "add", "--agent", &agent, "--name", "Big", "--jwks", file.to_str().unwrap()],
        ["client", "add", "--agent", &agent, "--name", "None", "--jwks", "/nowhere"],
    ] {
        assert_eq!(issuer.try_operate(&arguments).code, 1, "{arguments:?}");
    }
    assert_eq!(issuer.try_operate(&["client", "add", "--agent", "nobody", "--name", "X"]).code, 1);
    let listed = issuer.try_operate(&["client", "list"]);
    assert!(!listed.stdout.contains(secret));
    let auth: Vec<_> = listed.json_lines().iter().map(|client| client["auth"].clone()).collect();
    assert_eq!(auth, ["secret", "keys"]);
    let id = by_secret["client_id"].as_str().unwrap();
    assert_eq!(issuer.operate(&["client", "remove", id])["status"], "removed");
    assert_eq!(issuer.try_operate(&["client", "remove", id]).code, 1);
    assert_eq!(issuer.list(&["client", "list"]).len(), 1);
}
