//! What the origin is told, and what it is not.

use config::Mode;

use super::issuer::Issuer;
use super::origin::Origin;
use super::rig::{Rig, guarded, shop};

/// The value of a field as the origin saw it.
fn seen<'a>(body: &'a str, name: &str) -> Vec<&'a str> {
    let fields = body.lines().skip(1).filter_map(|line| line.split_once(": "));
    fields.filter(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn identity_is_the_gateways_to_say_in_every_mode() {
    let folder = tempfile::tempdir().unwrap();
    let origin = Origin::start().await;
    for mode in [Mode::Off, Mode::Observe] {
        let site = config::Site { mode, ..shop(origin.address) };
        let mut rig = Rig::start(folder.path(), vec![site]).await;
        let spoofs = ["Lime-Agent-Id: a", "lime_agent_id: a", "X-Lime-Agent_Trust: passport", "LIME-OWNER-ID: o"];
        let answer = rig.get("/", &spoofs).await;
        let names: Vec<String> =
            answer.body.lines().filter_map(|line| line.split_once(':')).map(|(name, _)| name.to_lowercase()).collect();
        let lime: Vec<&String> = names.iter().filter(|name| name.contains("lime")).collect();
        assert_eq!(lime, ["lime-agent-trust"], "{mode:?} {}", answer.body);
        assert_eq!(seen(&answer.body, "lime-agent-trust"), ["unknown"]);
        rig.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_is_introduced_and_its_credential_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (origin, issuer) = (Origin::start().await, Issuer::start().await);
    let rig = Rig::start(folder.path(), vec![guarded(origin.address, issuer.address)]).await;
    let bearer = issuer.bearer("agent-1");
    for path in ["/agents/list", "/open"] {
        let answer = rig.get(path, &[&bearer, "Cookie: a=1; b=2", "Connection: Lime-Agent-Id"]).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(seen(&answer.body, "lime-agent-id"), ["agent-1"]);
        assert_eq!(seen(&answer.body, "lime-agent-trust"), ["passport"]);
        assert_eq!(seen(&answer.body, "lime-owner-level"), ["2"]);
        assert!(seen(&answer.body, "lime-owner-id").is_empty());
        assert!(seen(&answer.body, "authorization").is_empty(), "{}", answer.body);
        assert_eq!(seen(&answer.body, "cookie"), ["a=1; b=2"]);
    }
    let lines = rig.lines(2).await;
    assert_eq!(lines[0]["agent_id"], "agent-1");
    assert_eq!(lines[0]["decision"], "allow");
    assert_eq!(lines[0]["policy"], "passport");
    assert_eq!(lines[1]["policy"], "open");
    let signature = bearer.rsplit('.').next().unwrap();
    assert!(!rig.log_text().contains(signature), "no token in the log");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_the_sites_stays_the_sites() {
    let folder = tempfile::tempdir().unwrap();
    let (origin, issuer) = (Origin::start().await, Issuer::start().await);
    let rig = Rig::start(folder.path(), vec![guarded(origin.address, issuer.address)]).await;
    let answer = rig.get("/open", &["Authorization: Basic dXNlcjpwYXNz"]).await;
    assert_eq!(seen(&answer.body, "authorization"), ["Basic dXNlcjpwYXNz"]);
    let answer = rig.get("/open/cookies", &[]).await;
    assert_eq!(answer.head.matches("Set-Cookie").count(), 1, "{}", answer.head);
    assert_eq!(answer.header("set-cookie"), Some("theme=dark"));
    let answer = rig.get("/agents/cached", &[&issuer.bearer("agent-1")]).await;
    assert_eq!(answer.header("cache-control"), Some("private, max-age=60"));
    let answer = rig.get("/open/cached", &[&issuer.bearer("agent-1")]).await;
    assert_eq!(answer.header("cache-control"), Some("public, max-age=60"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_does_not_speak_for_others_and_a_trusted_proxy_does() {
    let folder = tempfile::tempdir().unwrap();
    let origin = Origin::start().await;
    let fields =
        ["X-Forwarded-For: 198.51.100.7", "X-Forwarded-Proto: https", "X-Request-Id: theirs", "X-Real-IP: 1.2.3.4"];
    let mut rig = Rig::start(folder.path(), vec![shop(origin.address)]).await;
    let answer = rig.get("/", &fields).await;
    assert_eq!(seen(&answer.body, "x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(seen(&answer.body, "x-forwarded-proto"), ["http"]);
    assert_eq!(seen(&answer.body, "x-forwarded-host"), ["shop.example"]);
    assert!(seen(&answer.body, "x-real-ip").is_empty());
    let id = seen(&answer.body, "x-request-id")[0].to_owned();
    assert_eq!(id.len(), 26);
    let lines = rig.lines(1).await;
    assert_eq!((lines[0]["request_id"].as_str(), lines[0]["client_ip"].as_str()), (Some(&*id), Some("127.0.0.1")));
    rig.stop().await;
    let trust = |server: &mut config::Server| server.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    let rig = Rig::start_with(folder.path(), vec![shop(origin.address)], trust).await;
    let answer = rig.get("/", &fields).await;
    assert_eq!(seen(&answer.body, "x-forwarded-for"), ["198.51.100.7, 127.0.0.1"]);
    assert_eq!(seen(&answer.body, "x-forwarded-proto"), ["https"]);
    assert_eq!(seen(&answer.body, "x-request-id"), ["theirs"]);
    assert_eq!(rig.lines(1).await[0]["client_ip"], "198.51.100.7");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_path_is_logged_without_its_query_and_as_the_origin_saw_it() {
    let folder = tempfile::tempdir().unwrap();
    let origin = Origin::start().await;
    let rig = Rig::start(folder.path(), vec![shop(origin.address)]).await;
    for path in ["/a%2fb", "//a", "/a;b", "/%61"] {
        let answer = rig.get(&format!("{path}?token=secret"), &[]).await;
        assert!(answer.body.starts_with(&format!("GET {path}?token=secret ")), "{}", answer.body);
    }
    let lines = rig.lines(4).await;
    let paths: Vec<&str> = lines.iter().map(|line| line["path"].as_str().unwrap()).collect();
    assert_eq!(paths, ["/a%2fb", "//a", "/a;b", "/%61"]);
    assert!(!rig.log_text().contains("secret"));
}
