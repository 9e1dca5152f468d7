//! Suspensions: refused everywhere at once, open streams closed, nothing forgotten over a restart.

use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};

use super::issuer::Issuer;
use super::origin::Origin;
use super::rig::{PATIENCE, Rig, credential, guarded, until};

fn site(folder: &std::path::Path, origin: &Origin, issuer: &Issuer) -> config::Site {
    config::Site { credential: credential(folder, "st_shop"), ..guarded(origin.address, issuer.address) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_agent_is_refused_at_once_and_its_streams_are_closed() {
    let folder = tempfile::tempdir().unwrap();
    let (origin, issuer) = (Origin::start().await, Issuer::start().await);
    let rig = Rig::start(folder.path(), vec![site(folder.path(), &origin, &issuer)]).await;
    assert_eq!(rig.ops("GET", "/readyz", "localhost").await.json()["status"], "ok");
    let (one, two) = (issuer.bearer("agent-1"), issuer.bearer("agent-2"));
    let mut streams = Vec::new();
    for bearer in [&one, &two] {
        let mut client = rig.client().await;
        client.request("GET", "/agents/stream", &[bearer]).await;
        assert!(client.head().await.starts_with("HTTP/1.1 200"));
        assert_eq!(client.chunk().await.unwrap(), b"piece\n");
        streams.push(client);
    }
    let upgrade = ["Connection: Upgrade", "Upgrade: websocket", &one];
    let mut socket = rig.client().await;
    socket.request("GET", "/agents/socket", &upgrade).await;
    assert!(socket.head().await.starts_with("HTTP/1.1 101"));
    let started = Instant::now();
    issuer.revoke("agent", "agent-1", true);
    until("it is refused", async || rig.get("/agents/x", &[&one]).await.status == 401).await;
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    streams[0].closed().await;
    socket.closed().await;
    until("so are its connections to the origin", async || origin.closed() >= 2).await;
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    assert_eq!(rig.get("/open", &[&one]).await.status, 401, "also where nothing is asked");
    assert_eq!(rig.get("/agents/x", &[&two]).await.status, 200);
    origin.go_on.notify_one();
    assert_eq!(timeout(PATIENCE, streams[1].chunk()).await.unwrap().unwrap(), b"piece\n", "another's stream goes on");
    until("both have a line", async || rig.log_text().matches("\"note\"").count() == 2).await;
    let cut: Vec<_> = rig.lines(2).await.into_iter().filter(|line| line["note"].is_string()).collect();
    for (path, status) in [("/agents/stream", 200), ("/agents/socket", 101)] {
        let line = cut.iter().find(|line| line["path"] == path).unwrap();
        assert_eq!((line["agent_id"].as_str(), line["status"].as_u64()), (Some("agent-1"), Some(status)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspension_survives_restarts_and_resuming_revives_nothing_old() {
    let folder = tempfile::tempdir().unwrap();
    let (origin, issuer) = (Origin::start().await, Issuer::start().await);
    let mut rig = Rig::start(folder.path(), vec![site(folder.path(), &origin, &issuer)]).await;
    let old = issuer.bearer("agent-1");
    assert_eq!(rig.get("/agents/x", &[&old]).await.status, 200);
    rig.stop().await;
    // While the gateway is away, more than one page of the log.
    for agent in ["agent-7", "agent-8", "agent-9", "agent-1"] {
        issuer.revoke("agent", agent, true);
    }
    let mut rig = Rig::start(folder.path(), vec![site(folder.path(), &origin, &issuer)]).await;
    assert_eq!(rig.get("/agents/x", &[&old]).await.status, 401, "the log is read before anybody is let in");
    rig.stop().await;
    issuer.stop().await;
    let mut rig = Rig::start(folder.path(), vec![site(folder.path(), &origin, &issuer)]).await;
    assert_eq!(rig.get("/agents/x", &[&old]).await.status, 401, "also with the issuer away");
    rig.stop().await;
    issuer.start_again().await;
    let rig = Rig::start(folder.path(), vec![site(folder.path(), &origin, &issuer)]).await;
    issuer.revoke("agent", "agent-1", false);
    sleep(Duration::from_millis(1100)).await;
    let new = issuer.bearer("agent-1");
    until("a token signed after the resume counts", async || rig.get("/agents/x", &[&new]).await.status == 200).await;
    assert_eq!(rig.get("/agents/x", &[&old]).await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn owners_sites_and_keys_can_be_taken_back_too() {
    let folder = tempfile::tempdir().unwrap();
    let (origin, issuer) = (Origin::start().await, Issuer::start().await);
    let mut rig = Rig::start(folder.path(), vec![site(folder.path(), &origin, &issuer)]).await;
    for (kind, id) in [("owner", "owner-1"), ("site", "site-1")] {
        let token = issuer.bearer("agent-1");
        assert_eq!(rig.get("/agents/x", &[&token]).await.status, 200, "{kind}");
        issuer.revoke(kind, id, true);
        until(kind, async || rig.get("/agents/x", &[&token]).await.status == 401).await;
        issuer.revoke(kind, id, false);
        sleep(Duration::from_millis(1100)).await;
        let fresh = issuer.bearer("agent-1");
        until("resumed", async || rig.get("/agents/x", &[&fresh]).await.status == 200).await;
    }
    issuer.revoke("weather", "rain", true);
    issuer.revoke("key", super::issuer::key(0).kid().as_str(), true);
    let fresh = issuer.bearer("agent-1");
    until("nothing that key signed counts", async || rig.get("/agents/x", &[&fresh]).await.status == 401).await;
    rig.stop().await;
    let rig = Rig::start(folder.path(), vec![site(folder.path(), &origin, &issuer)]).await;
    assert_eq!(rig.get("/agents/x", &[&issuer.bearer("agent-1")]).await.status, 401, "for ever");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_was_away_too_long_asks_for_everything() {
    let folder = tempfile::tempdir().unwrap();
    let (origin, issuer) = (Origin::start().await, Issuer::start().await);
    let mut rig = Rig::start(folder.path(), vec![site(folder.path(), &origin, &issuer)]).await;
    let token = issuer.bearer("agent-1");
    issuer.revoke("agent", "agent-5", true);
    assert_eq!(rig.get("/agents/x", &[&token]).await.status, 200);
    rig.stop().await;
    issuer.revoke("agent", "agent-1", true);
    issuer.revoke("agent", "agent-6", true);
    issuer.forget_rows_before(2);
    let rig = Rig::start(folder.path(), vec![site(folder.path(), &origin, &issuer)]).await;
    assert_eq!(rig.get("/agents/x", &[&token]).await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_was_set_back_is_read_anew() {
    let folder = tempfile::tempdir().unwrap();
    let (origin, issuer) = (Origin::start().await, Issuer::start().await);
    for agent in ["agent-5", "agent-6", "agent-7", "agent-8", "agent-9"] {
        issuer.revoke("agent", agent, true);
    }
    let rig = Rig::start(folder.path(), vec![site(folder.path(), &origin, &issuer)]).await;
    let (one, two, nine) = (issuer.bearer("agent-1"), issuer.bearer("agent-2"), issuer.bearer("agent-9"));
    assert_eq!(rig.get("/agents/x", &[&one]).await.status, 200);
    assert_eq!(rig.get("/agents/x", &[&nine]).await.status, 401);
    issuer.stop().await;
    issuer.set_back(2);
    issuer.revoke("agent", "agent-1", true);
    issuer.start_again().await;
    until("its rows are known", async || rig.get("/agents/x", &[&one]).await.status == 401).await;
    assert_eq!(rig.get("/agents/x", &[&nine]).await.status, 200, "those it lost are not");
    issuer.revoke("agent", "agent-2", true);
    until("it is followed", async || rig.get("/agents/x", &[&two]).await.status == 401).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edited_revocation_file_admits_nobody_until_the_log_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let (origin, issuer) = (Origin::start().await, Issuer::start().await);
    issuer.revoke("agent", "agent-1", true);
    let mut rig = Rig::start(folder.path(), vec![site(folder.path(), &origin, &issuer)]).await;
    let (one, two) = (issuer.bearer("agent-1"), issuer.bearer("agent-2"));
    assert_eq!(rig.get("/agents/x", &[&two]).await.status, 200);
    rig.stop().await;
    issuer.stop().await;
    let mut files = std::fs::read_dir(folder.path().join("state")).unwrap().map(|entry| entry.unwrap().path());
    let file = files.find(|path| path.to_str().unwrap().contains("/revocations-")).unwrap();
    std::fs::write(&file, std::fs::read_to_string(&file).unwrap().replace("agent-1", "agent-3")).unwrap();
    let rig = Rig::start(folder.path(), vec![site(folder.path(), &origin, &issuer)]).await;
    for bearer in [&one, &two] {
        let answer = rig.get("/agents/x", &[bearer]).await;
        assert_eq!((answer.status, answer.reason().as_str()), (503, "issuer_unavailable"));
        assert_eq!(rig.get("/open", &[bearer]).await.status, 200);
    }
    issuer.start_again().await;
    until("the log is read", async || rig.get("/agents/x", &[&two]).await.status == 200).await;
    assert_eq!(rig.get("/agents/x", &[&one]).await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_stream_is_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let (origin, issuer) = (Origin::start().await, Issuer::start().await);
    let rig = Rig::start(folder.path(), vec![site(folder.path(), &origin, &issuer)]).await;
    let token = issuer.bearer("agent-1");
    assert_eq!(rig.get("/agents/x", &[&token]).await.status, 200);
    issuer.stop().await;
    issuer.revoke("agent", "agent-1", true);
    until("contact is lost", async || rig.get("/agents/x", &[]).await.status == 503).await;
    assert_eq!(rig.get("/agents/x", &[&token]).await.status, 200, "known agents keep working");
    issuer.start_again().await;
    until("what was missed is made up for", async || rig.get("/agents/x", &[&token]).await.status == 401).await;
    assert_eq!(rig.get("/agents/x", &[]).await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_that_does_not_count_is_told_to_the_operator_and_serving_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let (origin, issuer) = (Origin::start().await, Issuer::start().await);
    let site = config::Site { credential: credential(folder.path(), "bad"), ..site(folder.path(), &origin, &issuer) };
    let rig = Rig::start(folder.path(), vec![site]).await;
    assert_eq!(rig.get("/agents/x", &[&issuer.bearer("agent-1")]).await.status, 200);
    assert_eq!(rig.get("/agents/x", &[]).await.status, 401, "the issuer is there, its keys are known");
    let ready = rig.ops("GET", "/readyz", "localhost").await;
    assert_eq!((ready.status, ready.json()["status"].as_str()), (200, Some("degraded")));
    assert_eq!(ready.json()["issuers"][0]["misses_events"], true);
}
