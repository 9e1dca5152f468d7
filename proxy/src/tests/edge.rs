//! Login at the edge, and the gateway's own pages.

use config::Login;

use super::client::Answer;
use super::issuer::{Issuer, Manner};
use super::origin::Origin;
use super::rig::{Rig, credential, guarded, until};

fn site(folder: &std::path::Path, origin: &Origin, issuer: &Issuer) -> config::Site {
    config::Site {
        credential: credential(folder, "gt_fleet"),
        login: Login::Edge,
        ..guarded(origin.address, issuer.address)
    }
}

async fn poll(rig: &Rig, opened: &Answer, secret: &str) -> Answer {
    let at = opened.json()["poll"].as_str().unwrap().to_owned();
    rig.get(&at, &[&format!("Authorization: Bearer {secret}")]).await
}

fn text(answer: &Answer, member: &str) -> String {
    answer.json()[member].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_logs_in_and_its_session_counts() {
    let folder = tempfile::tempdir().unwrap();
    let (origin, issuer) = (Origin::start().await, Issuer::start().await);
    let rig = Rig::start(folder.path(), vec![site(folder.path(), &origin, &issuer)]).await;
    let refusal = rig.get("/agents/x", &[]).await.json();
    let ways: Vec<_> = refusal["ways_in"].as_array().unwrap().iter().map(|way| way["way"].as_str().unwrap()).collect();
    assert_eq!(ways, ["token", "login"]);
    assert_eq!(refusal["ways_in"][1]["at"], "https://shop.example/.lime/login");

    let opened = rig.send("POST", "/.lime/login", &["Content-Length: 0"]).await;
    assert_eq!(opened.status, 201, "{}", opened.body);
    assert_eq!(opened.header("cache-control"), Some("no-store"));
    assert_eq!(text(&opened, "api_base"), format!("{}/api/v1", issuer.url()));
    let secret = text(&opened, "secret");
    let pending = poll(&rig, &opened, &secret).await;
    assert_eq!((pending.status, text(&pending, "status").as_str()), (202, "pending"));
    assert!(pending.header("retry-after").is_some());
    assert_eq!(poll(&rig, &opened, "1.x").await.status, 401);
    assert_eq!(rig.get(opened.json()["poll"].as_str().unwrap(), &[]).await.status, 401);

    issuer.approve(&text(&opened, "request_id"), "site-1", "agent-1", 0);
    until("the session is there", async || poll(&rig, &opened, &secret).await.status == 200).await;
    let given = poll(&rig, &opened, &secret).await;
    let session = text(&given, "session");
    assert!(session.starts_with("ls1."));
    let cookie = given.header("set-cookie").unwrap();
    assert!(cookie.starts_with(&format!("__Host-lime={session}; Path=/;")), "{cookie}");
    assert!(cookie.contains("Secure") && cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
    assert_eq!(text(&poll(&rig, &opened, &secret).await, "session"), session, "the same again");

    for field in [format!("Authorization: Bearer {session}"), format!("Cookie: a=1; __Host-lime={session}")] {
        let answer = rig.get("/agents/x", &[&field]).await;
        assert_eq!(answer.status, 200);
        assert!(answer.body.contains("lime-agent-id: agent-1") || answer.body.contains("Lime-Agent-Id: agent-1"));
        assert!(!answer.body.contains("ls1."), "the session stays at the gateway: {}", answer.body);
    }
    let log = rig.log_text();
    assert!(!log.contains(&session) && !log.contains(&secret), "no secret in the log");
    issuer.revoke("agent", "agent-1", true);
    let bearer = format!("Authorization: Bearer {session}");
    until("a session falls with its agent", async || rig.get("/agents/x", &[&bearer]).await.status == 401).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passport_for_another_site_or_under_an_unknown_key_opens_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (origin, issuer) = (Origin::start().await, Issuer::start().await);
    issuer.set_max_age(1);
    let rig = Rig::start(folder.path(), vec![site(folder.path(), &origin, &issuer)]).await;
    let opened = rig.send("POST", "/.lime/login", &["Content-Length: 0"]).await;
    let (request, secret) = (text(&opened, "request_id"), text(&opened, "secret"));
    issuer.approve(&request, "site-0", "agent-1", 0);
    issuer.approve("another-request", "site-1", "agent-1", 0);
    assert_eq!(poll(&rig, &opened, &secret).await.status, 202);
    // Signed with a key that is published a moment later.
    issuer.approve(&request, "site-1", "agent-1", 1);
    assert_eq!(poll(&rig, &opened, &secret).await.status, 202);
    issuer.publish(&[0, 1]);
    until("the key is known", async || poll(&rig, &opened, &secret).await.status == 200).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_nobody_approved_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let (origin, issuer) = (Origin::start().await, Issuer::start().await);
    let rig = Rig::start(folder.path(), vec![site(folder.path(), &origin, &issuer)]).await;
    let opened = rig.send("POST", "/.lime/login", &["Content-Length: 0"]).await;
    let (request, secret) = (text(&opened, "request_id"), text(&opened, "secret"));
    issuer.say(&serde_json::json!({ "type": "expired", "login_request_id": request, "site_id": "site-1" }));
    until("it is over", async || poll(&rig, &opened, &secret).await.status == 410).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_open_a_few_logins_and_the_issuer_hears_of_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let (origin, issuer) = (Origin::start().await, Issuer::start().await);
    let trust = |server: &mut config::Server| server.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    let rig = Rig::start_with(folder.path(), vec![site(folder.path(), &origin, &issuer)], trust).await;
    for n in 0..12 {
        let from = format!("X-Forwarded-For: 198.51.100.{n}");
        let answer = rig.send("POST", "/.lime/login", &["Content-Length: 0", &from]).await;
        assert_eq!(answer.status, if n < 8 { 201 } else { 429 }, "{n}");
        if n >= 8 {
            assert_eq!(answer.reason(), "login_limited");
            assert!(answer.header("retry-after").is_some());
        }
    }
    assert_eq!(issuer.logins_asked(), 8);
    let elsewhere = ["Content-Length: 0", "X-Forwarded-For: 203.0.113.1"];
    assert_eq!(rig.send("POST", "/.lime/login", &elsewhere).await.status, 201);
    for _ in 0..12 {
        // Behind loopback may stand anybody.
        assert_eq!(rig.send("POST", "/.lime/login", &["Content-Length: 0"]).await.status, 201);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_that_is_away_or_says_no_opens_no_login() {
    let folder = tempfile::tempdir().unwrap();
    let (origin, issuer) = (Origin::start().await, Issuer::start().await);
    let rig = Rig::start(folder.path(), vec![site(folder.path(), &origin, &issuer)]).await;
    issuer.set_manner(Manner::Failing);
    let refused = rig.send("POST", "/.lime/login", &["Content-Length: 0"]).await;
    assert_eq!((refused.status, refused.reason().as_str()), (502, "login_refused"));
    issuer.stop().await;
    let away = rig.send("POST", "/.lime/login", &["Content-Length: 0"]).await;
    assert_eq!((away.status, away.reason().as_str()), (503, "issuer_unavailable"));
    assert!(away.header("retry-after").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_the_gateways_own_is_never_forwarded() {
    let folder = tempfile::tempdir().unwrap();
    let (origin, issuer) = (Origin::start().await, Issuer::start().await);
    let rig = Rig::start(folder.path(), vec![guarded(origin.address, issuer.address)]).await;
    for (method, path, status, reason) in [
        ("GET", "/.lime/help", 200, None),
        ("HEAD", "/.lime/help", 200, None),
        ("POST", "/.lime/help", 405, Some("method_not_allowed")),
        ("GET", "/.lime/auth.md", 200, None),
        ("POST", "/.lime/auth.md", 405, Some("method_not_allowed")),
        ("GET", "/.well-known/lime", 200, None),
        ("HEAD", "/.well-known/lime", 200, None),
        ("POST", "/.well-known/lime", 405, Some("method_not_allowed")),
        ("GET", "/.well-known/x/../lime", 400, Some("path_ambiguous")),
        ("POST", "/.lime/login", 404, Some("login_off")),
        ("GET", "/.lime/login/x", 404, Some("login_off")),
        ("GET", "/.lime/login/a%2fb", 404, Some("not_found")),
        ("GET", "/.lime/", 404, Some("not_found")),
        ("GET", "/.lime", 404, Some("not_found")),
        ("GET", "/.lime/x", 404, Some("not_found")),
        ("GET", "/a/../.lime/help", 400, Some("path_ambiguous")),
        ("GET", "/%2elime/login", 400, Some("path_ambiguous")),
    ] {
        let fields: &[&str] = if method == "POST" { &["Content-Length: 0"] } else { &[] };
        let answer = rig.send(method, path, fields).await;
        assert_eq!(answer.status, status, "{method} {path}");
        if let Some(reason) = reason {
            assert_eq!(answer.reason(), reason, "{method} {path}");
        }
        if status == 405 {
            assert_eq!(answer.header("allow"), Some("GET, HEAD"));
        }
    }
    assert_eq!(origin.requests(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_that_the_issuer_does_not_know_opens_no_login() {
    let folder = tempfile::tempdir().unwrap();
    let (origin, issuer) = (Origin::start().await, Issuer::start().await);
    let site = config::Site { credential: credential(folder.path(), "bad"), ..site(folder.path(), &origin, &issuer) };
    let rig = Rig::start(folder.path(), vec![site]).await;
    let refused = rig.send("POST", "/.lime/login", &["Content-Length: 0"]).await;
    assert_eq!((refused.status, refused.reason().as_str()), (502, "login_refused"));
    assert_eq!(issuer.logins_asked(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn auth_md_is_the_sites_unless_it_says_otherwise() {
    let folder = tempfile::tempdir().unwrap();
    let (origin, issuer) = (Origin::start().await, Issuer::start().await);
    let rig = Rig::start(folder.path(), vec![guarded(origin.address, issuer.address)]).await;
    for path in ["/auth.md", "/.well-known/limestone", "/.well-known/lime/more", "/.well-known/openid-configuration"] {
        let before = origin.requests();
        rig.send("GET", path, &[]).await;
        assert_eq!(origin.requests(), before + 1, "{path} is the site's");
    }

    let folder = tempfile::tempdir().unwrap();
    let site = config::Site { auth_md: config::AuthMd::Served, ..guarded(origin.address, issuer.address) };
    let rig = Rig::start(folder.path(), vec![site]).await;
    let before = origin.requests();
    let page = rig.send("GET", "/auth.md", &["Accept: text/html"]).await;
    assert_eq!(page.status, 200);
    assert_eq!(page.header("content-type"), Some("text/markdown; charset=utf-8"));
    let same = rig.send("GET", "/.lime/auth.md", &[]).await;
    assert_eq!(page.body, same.body);
    assert_eq!(rig.send("POST", "/auth.md", &["Content-Length: 0"]).await.status, 405);
    assert_eq!(origin.requests(), before);
}
