//! The token endpoint: a code once, a refresh token once and once more for who was cut off (A10-A13).

use std::collections::BTreeSet;
use std::io::Write as _;
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use lime_tests::http::{self, Reply};
use lime_tests::{forge, records, until, within};

use super::client::{Changes, Client, Tokens, refused};
use super::owner::{FORM, encoded};
use super::scene::{Scene, added};

const AT_ONCE: usize = 100;

/// As many at once as there can be, ended together.
fn at_once(ask: impl Fn() -> Reply + Sync) -> Vec<Reply> {
    thread::scope(|scope| {
        let running: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(&ask)).collect();
        running.into_iter().map(|running| running.join().unwrap()).collect()
    })
}

#[test]
fn an_answer_with_tokens_is_for_nobody_else() {
    let scene = Scene::new();
    let client = Client::register(&scene);
    let reply = client.redeem(&scene, &client.code(&scene, "mcp:read"), &[]);
    let tokens = Tokens::of(&reply);
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert!(reply.header("content-type").unwrap().starts_with("application/json"));
    let body = reply.json();
    assert_eq!((body["expires_in"].as_u64(), body["scope"].as_str()), (Some(300), Some("mcp:read")));
    let (header, claims) = (forge::header_of(&tokens.access), forge::claims_of(&tokens.access));
    assert_eq!(header["typ"], "at+jwt");
    assert_eq!((claims["aud"].as_str(), claims["scope"].as_str()), (Some(scene.resource.as_str()), Some("mcp:read")));
    assert_eq!((claims["client_id"].as_str(), claims["owner"].as_str()), (Some(&*client.id), Some(&*scene.owner)));
    added(&scene.add(&tokens.access));
}

#[test]
fn a_code_is_for_who_asked_for_it_and_as_it_was_asked_for() {
    let scene = Scene::new();
    let (client, other) = (Client::register(&scene), Client::register(&scene));
    let table: &[(Changes<'_>, &str)] = &[
        (&[("code_verifier", Some("another-verifier-0123456789-0123456789-0123456789"))], "invalid_grant"),
        (&[("code_verifier", None)], "invalid_grant|invalid_request"),
        (&[("redirect_uri", Some("http://127.0.0.1:49201/callback"))], "invalid_grant"),
        (&[("resource", Some("https://elsewhere.example/mcp"))], "invalid_target|invalid_grant"),
        (&[("client_id", Some(&other.id))], "invalid_grant"),
        (&[("client_id", Some("nobody"))], "invalid_client"),
        (&[("client_id", None)], "invalid_client|invalid_request"),
        (&[("code", Some("nonsense"))], "invalid_grant"),
        (&[("code", None)], "invalid_request"),
        (&[("grant_type", Some("password"))], "unsupported_grant_type"),
        (&[("grant_type", None)], "invalid_request"),
    ];
    for (changes, errors) in table {
        let code = client.code(&scene, "mcp:read");
        let reply = client.redeem(&scene, &code, changes);
        let error = reply.json()["error"].as_str().unwrap_or_default().to_owned();
        assert!(errors.split('|').any(|expected| expected == error), "{changes:?} {}", reply.text());
        let status = if error == "invalid_client" { 401 } else { 400 };
        refused(&reply, status, &error);
    }
}

#[test]
fn a_code_that_is_redeemed_a_hundred_times_at_once_is_redeemed_once_and_worth_nothing_then() {
    let scene = Scene::new();
    let client = Client::register(&scene);
    let code = client.code(&scene, "mcp:read");
    let unused = client.expires_at(&scene);
    let replies = at_once(|| client.redeem(&scene, &code, &[]));
    let (done, others): (Vec<_>, Vec<_>) = replies.iter().partition(|reply| reply.status == 200);
    // It was redeemed once: the client counts as used. A replay that is noticed before the winner's tokens are signed leaves
    // nobody with any.
    assert!(client.expires_at(&scene) > unused);
    assert!(done.len() <= 1, "{} were given tokens", done.len());
    others.iter().for_each(|reply| refused(reply, 400, "invalid_grant"));
    for reply in done {
        let tokens = Tokens::of(reply);
        refused(&client.refresh(&scene, &tokens.refresh, &[]), 400, "invalid_grant");
        until("the access token is refused", || scene.add(&tokens.access).status == 401);
    }
}

#[test]
fn a_code_that_is_replayed_takes_its_tokens_along() {
    let scene = Scene::new();
    let client = Client::register(&scene);
    let code = client.code(&scene, "mcp:read");
    let tokens = Tokens::of(&client.redeem(&scene, &code, &[]));
    let newer = Tokens::of(&client.refresh(&scene, &tokens.refresh, &[]));
    added(&scene.add(&newer.access));
    refused(&client.redeem(&scene, &code, &[]), 400, "invalid_grant");
    let gone = || [&tokens.access, &newer.access].iter().all(|token| scene.add(token).status == 401);
    within(Duration::from_secs(2), "both access tokens are refused", || gone().then_some(()));
    refused(&client.refresh(&scene, &newer.refresh, &[]), 400, "invalid_grant");
    // The client starts anew, and is itself again.
    until("new tokens work", || {
        let tokens = client.tokens(&scene, "mcp:read");
        scene.add(&tokens.access).status == 200
    });
}

#[test]
fn a_refresh_token_that_is_used_a_hundred_times_at_once_has_one_successor() {
    let scene = Scene::new();
    let client = Client::register(&scene);
    let tokens = client.tokens(&scene, "mcp:read");
    let replies = at_once(|| client.refresh(&scene, &tokens.refresh, &[]));
    let successors: BTreeSet<_> =
        replies.iter().filter(|reply| reply.status == 200).map(|reply| Tokens::of(reply).refresh).collect();
    assert_eq!(successors.len(), 1);
    for reply in replies.iter().filter(|reply| reply.status != 200) {
        refused(reply, 400, "invalid_grant");
    }
    let newer = Tokens::of(&client.refresh(&scene, successors.first().unwrap(), &[]));
    added(&scene.add(&newer.access));
}

#[test]
fn a_refresh_gives_less_but_never_more() {
    let scene = Scene::new();
    let client = Client::register(&scene);
    let tokens = client.tokens(&scene, "mcp:read mcp:write");
    let scope = |reply: &Reply| forge::claims_of(&Tokens::of(reply).access)["scope"].clone();
    let less = client.refresh(&scene, &tokens.refresh, &[("scope", Some("mcp:read"))]);
    assert_eq!(scope(&less), "mcp:read");
    let all = client.refresh(&scene, &Tokens::of(&less).refresh, &[]);
    assert_eq!(scope(&all), "mcp:read mcp:write", "RFC 6749 section 6: the grant is as it was");

    let narrow = client.tokens(&scene, "mcp:read");
    let more = client.refresh(&scene, &narrow.refresh, &[("scope", Some("mcp:read mcp:write"))]);
    refused(&more, 400, "invalid_scope");
}

#[test]
fn what_is_shown_while_a_site_is_suspended_is_not_used_up() {
    let scene = Scene::new();
    let client = Client::register(&scene);
    let tokens = client.tokens(&scene, "mcp:read");
    let code = client.code(&scene, "mcp:read");
    scene.issuer.operate(&["site", "suspend", &scene.site.id]);
    refused(&client.refresh(&scene, &tokens.refresh, &[]), 400, "invalid_target");
    refused(&client.redeem(&scene, &code, &[]), 400, "invalid_target");
    scene.issuer.operate(&["site", "resume", &scene.site.id]);
    assert_eq!(client.redeem(&scene, &code, &[]).status, 200);
    assert_eq!(client.refresh(&scene, &tokens.refresh, &[]).status, 200);
}

#[test]
fn a_form_is_answered_with_the_errors_of_oauth_whatever_fails() {
    let scene = Scene::new();
    let client = Client::register(&scene);
    let long = "x".repeat(20_000);
    refused(&client.redeem(&scene, &long, &[]), 413, "invalid_request");
    refused(&client.refresh(&scene, &long, &[]), 413, "invalid_request");
    let named: Vec<_> = (0..70).map(|number| format!("more{number}")).collect();
    let many: Vec<_> = named.iter().map(|name| (name.as_str(), Some("x"))).collect();
    refused(&client.redeem(&scene, "nonsense", &many), 400, "invalid_request");
    let twice = [("resource", scene.resource.as_str()); 2].map(|(name, value)| (name, Some(value)));
    refused(&client.redeem(&scene, &client.code(&scene, "mcp:read"), &twice), 400, "invalid_target");
    refused(&client.refresh(&scene, &client.tokens(&scene, "mcp:read").refresh, &twice), 400, "invalid_target");
}

#[test]
fn a_refresh_token_is_for_its_client_and_its_resource() {
    let scene = Scene::new();
    let (client, other) = (Client::register(&scene), Client::register(&scene));
    let tokens = client.tokens(&scene, "mcp:read");
    refused(&other.refresh(&scene, &tokens.refresh, &[]), 400, "invalid_grant");
    let elsewhere = client.refresh(&scene, &tokens.refresh, &[("resource", Some("https://elsewhere.example"))]);
    let error = elsewhere.json()["error"].as_str().unwrap().to_owned();
    assert!(["invalid_target", "invalid_grant"].contains(&error.as_str()), "{}", elsewhere.text());
    refused(&client.refresh(&scene, "nonsense", &[]), 400, "invalid_grant");
    assert_eq!(client.refresh(&scene, &tokens.refresh, &[]).status, 200, "nobody has used it up");
}

#[test]
fn a_token_that_is_revoked_takes_the_others_of_its_grant_along() {
    let scene = Scene::new();
    let (client, other) = (Client::register(&scene), Client::register(&scene));
    let tokens = client.tokens(&scene, "mcp:read");
    // Somebody else's token is no news to anybody (RFC 7009 section 2.2), and stands.
    other.revoke(&scene, &tokens.refresh);
    added(&scene.add(&tokens.access));
    assert_eq!(client.revoke(&scene, &tokens.refresh).status, 200);
    refused(&client.refresh(&scene, &tokens.refresh, &[]), 400, "invalid_grant");
    within(Duration::from_secs(2), "the access token is refused", || {
        (scene.add(&tokens.access).status == 401).then_some(())
    });
    assert_eq!(client.revoke(&scene, "nonsense").status, 200);
}

#[test]
fn a_revocation_that_is_slow_to_come_ends_what_was_issued_meanwhile() {
    let scene = Scene::new();
    let client = Client::register(&scene);
    let tokens = client.tokens(&scene, "mcp:read");
    let body = encoded(&[("client_id", &client.id), ("token", &tokens.refresh)]);
    let url = scene.oauth("revoke");
    let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut slow = TcpStream::connect(host).unwrap();
    let length = body.len();
    write!(slow, "POST /{path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: {FORM}\r\nContent-Length: {length}\r\n\r\n")
        .unwrap();
    // Times are told in whole seconds: what comes in the same one is refused anyway.
    thread::park_timeout(Duration::from_millis(2100));
    let newer = Tokens::of(&client.refresh(&scene, &tokens.refresh, &[]));
    added(&scene.add(&newer.access));
    slow.write_all(body.as_bytes()).unwrap();
    within(Duration::from_secs(2), "the newer access token is refused", || {
        (scene.add(&newer.access).status == 401).then_some(())
    });
}

#[test]
fn a_refresh_token_that_comes_back_after_its_grace_ends_the_family() {
    let scene = Scene::new();
    let client = Client::register(&scene);
    let first = client.tokens(&scene, "mcp:read");
    let second = Tokens::of(&client.refresh(&scene, &first.refresh, &[]));
    assert_eq!(Tokens::of(&client.refresh(&scene, &first.refresh, &[])).refresh, second.refresh, "within its grace");
    assert_eq!(scene.alter("UPDATE refresh_tokens SET used_at = used_at - 61000 WHERE used_at IS NOT NULL"), 1);
    refused(&client.refresh(&scene, &first.refresh, &[]), 400, "invalid_grant");
    refused(&client.refresh(&scene, &second.refresh, &[]), 400, "invalid_grant");
    until("the access tokens are refused", || {
        [&first, &second].iter().all(|tokens| scene.add(&tokens.access).status == 401)
    });
}

#[test]
fn a_token_from_before_the_last_one_has_no_grace() {
    let scene = Scene::new();
    let client = Client::register(&scene);
    let first = client.tokens(&scene, "mcp:read");
    let second = Tokens::of(&client.refresh(&scene, &first.refresh, &[]));
    let third = Tokens::of(&client.refresh(&scene, &second.refresh, &[]));
    refused(&client.refresh(&scene, &first.refresh, &[]), 400, "invalid_grant");
    refused(&client.refresh(&scene, &third.refresh, &[]), 400, "invalid_grant");
}

#[test]
fn an_access_token_that_is_revoked_takes_the_others_of_its_grant_along() {
    let scene = Scene::new();
    let (client, other) = (Client::register(&scene), Client::register(&scene));
    let tokens = client.tokens(&scene, "mcp:read");
    assert_eq!(other.revoke(&scene, &tokens.access).status, 200);
    added(&scene.add(&tokens.access));
    assert_eq!(client.revoke(&scene, &tokens.access).status, 200);
    refused(&client.refresh(&scene, &tokens.refresh, &[]), 400, "invalid_grant");
    until("the access token is refused", || scene.add(&tokens.access).status == 401);
}

/// A form of a client that has a secret.
fn with_secret(scene: &Scene, path: &str, (id, secret): &(String, String), fields: &[(&str, &str)]) -> Reply {
    let basic = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, format!("{id}:{secret}"));
    let request = http::request("POST", &scene.oauth(path)).header("Content-Type", FORM);
    request.header("Authorization", format!("Basic {basic}")).body(encoded(fields)).send()
}

#[test]
fn a_program_gives_back_what_it_got_for_itself() {
    let scene = Scene::new();
    let machine = scene.machine();
    let ask = [("grant_type", "client_credentials"), ("scope", "mcp:read"), ("resource", scene.resource.as_str())];
    let reply = with_secret(&scene, "token", &machine, &ask);
    assert_eq!(reply.status, 200, "{}", reply.text());
    let token = reply.json()["access_token"].as_str().unwrap().to_owned();
    added(&scene.add(&token));
    assert_eq!(with_secret(&scene, "revoke", &machine, &[("token", &token)]).status, 200);
    until("the access token is refused", || scene.add(&token).status == 401);
    let stranger = (machine.0, format!("cs_{}", "A".repeat(43)));
    refused(&with_secret(&scene, "revoke", &stranger, &[("token", &token)]), 401, "invalid_client");
}

#[test]
fn a_client_asks_in_its_own_way_alone() {
    let scene = Scene::new();
    let machine = scene.machine();
    let code = [("grant_type", "authorization_code"), ("code", "x"), ("code_verifier", "y")];
    refused(&with_secret(&scene, "token", &machine, &code), 400, "unauthorized_client");
    let client = Client::register(&scene);
    let own = client.redeem(&scene, "x", &[("grant_type", Some("client_credentials"))]);
    refused(&own, 400, "unauthorized_client");
}

#[test]
fn a_program_gets_nothing_for_a_site_that_its_agent_may_not_visit() {
    let scene = Scene::new();
    let elsewhere = scene.issuer.site(&scene.owner, "https://elsewhere.example");
    let agent = scene.issuer.agent(&scene.owner, &[&elsewhere.id]);
    let client = scene.issuer.operate(&["client", "add", "--agent", &agent.id, "--name", "Elsewhere"]);
    let text = |name: &str| client[name].as_str().unwrap().to_owned();
    records::secret(&text("client_secret"));
    let fields = [("grant_type", "client_credentials"), ("resource", scene.resource.as_str())];
    let reply = with_secret(&scene, "token", &(text("client_id"), text("client_secret")), &fields);
    refused(&reply, 400, "invalid_target");
}

#[test]
fn a_program_asks_for_itself_and_gets_no_refresh_token() {
    let scene = Scene::new();
    let machine = scene.machine();
    let ask = |scope: &str, resource: &str| {
        let fields = [("grant_type", "client_credentials"), ("scope", scope), ("resource", resource)];
        with_secret(&scene, "token", &machine, &fields)
    };
    let reply = ask("mcp:read", &scene.resource);
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(reply.json().get("refresh_token"), None);
    added(&scene.add(reply.json()["access_token"].as_str().unwrap()));
    refused(&ask("mcp:everything", &scene.resource), 400, "invalid_scope");
    refused(&ask("mcp:read", "https://elsewhere.example/mcp"), 400, "invalid_target");
    let stranger = http::request("POST", &scene.oauth("token")).header("Content-Type", FORM);
    let reply = stranger.body(encoded(&[("grant_type", "client_credentials"), ("client_id", &machine.0)])).send();
    refused(&reply, 401, "invalid_client");
}
