//! Keys: fetched beside requests, kept through outages and restarts.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::sleep;

use super::issuer::{Issuer, Manner};
use super::origin::Origin;
use super::rig::{Rig, guarded, until};

fn key_file(folder: &Path) -> PathBuf {
    let files = fs::read_dir(folder.join("state")).unwrap().map(|entry| entry.unwrap().path());
    files.into_iter().find(|path| path.file_name().unwrap().to_str().unwrap().starts_with("keys-")).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_issuer_away_agents_pass_strangers_wait_and_open_paths_are_open() {
    let folder = tempfile::tempdir().unwrap();
    let (origin, issuer) = (Origin::start().await, Issuer::start().await);
    let mut rig = Rig::start(folder.path(), vec![guarded(origin.address, issuer.address)]).await;
    assert_eq!(rig.get("/agents/x", &[]).await.status, 401);
    assert_eq!(rig.get("/agents/x", &[&issuer.bearer("agent-1")]).await.status, 200);
    rig.stop().await;
    issuer.stop().await;
    // A restart into the outage.
    let mut rig = Rig::start(folder.path(), vec![guarded(origin.address, issuer.address)]).await;
    assert_eq!(rig.get("/agents/x", &[&issuer.bearer("agent-2")]).await.status, 200);
    assert_eq!(rig.get("/open", &[]).await.status, 200);
    let stranger = rig.get("/agents/x", &[]).await;
    assert_eq!((stranger.status, stranger.reason().as_str()), (503, "issuer_unavailable"));
    assert!(stranger.header("retry-after").is_some());
    let other_key = format!("Authorization: Bearer {}", issuer.token("agent-1", 1));
    assert_eq!(rig.get("/agents/x", &[&other_key]).await.status, 503);
    let (signed, _) = issuer.bearer("agent-1").rsplit_once('.').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let forged = format!("{signed}.{}", "A".repeat(342));
    assert_eq!(rig.get("/agents/x", &[&forged]).await.status, 401, "a bad signature under a known key stays 401");
    assert_eq!(rig.ops("GET", "/readyz", "localhost").await.json()["status"], "degraded");
    rig.stop().await;
    // A key-set file that was edited gives no keys.
    let file = key_file(folder.path());
    fs::write(&file, fs::read_to_string(&file).unwrap().replace("fetched_at", "fetched_at ")).unwrap();
    let rig = Rig::start(folder.path(), vec![guarded(origin.address, issuer.address)]).await;
    assert_eq!(rig.get("/agents/x", &[&issuer.bearer("agent-2")]).await.status, 503);
    assert_eq!(rig.get("/open", &[]).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_key_is_fetched_once_for_a_storm_of_tokens() {
    let folder = tempfile::tempdir().unwrap();
    let (origin, issuer) = (Origin::start().await, Issuer::start().await);
    let rig = Rig::start(folder.path(), vec![guarded(origin.address, issuer.address)]).await;
    assert_eq!(issuer.jwks_asked(), 1);
    issuer.publish(&[0, 1]);
    let unknown = format!("Authorization: Bearer {}", issuer.token("agent-1", 1));
    for _ in 0..50 {
        let answer = rig.get("/agents/x", &[&unknown]).await;
        assert_eq!((answer.status, answer.reason().as_str()), (401, "invalid_token"));
    }
    sleep(Duration::from_millis(200)).await;
    assert_eq!(issuer.jwks_asked(), 1, "the cool-down is not over");
    // Known keys are as fast as ever while the issuer hangs.
    issuer.set_manner(Manner::Hanging);
    assert_eq!(rig.get("/agents/x", &[&issuer.bearer("agent-1")]).await.status, 200);
    issuer.set_manner(Manner::Well);
    until("the new key is known", async || rig.get("/agents/x", &[&unknown]).await.status == 200).await;
    assert_eq!(issuer.jwks_asked(), 2);
    let metrics = rig.ops("GET", "/metrics", "localhost").await.body;
    assert!(metrics.contains("lime_gateway_jwks_unknown_kid_total"), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_refreshed_as_the_issuer_asks_and_a_removed_one_counts_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let (origin, issuer) = (Origin::start().await, Issuer::start().await);
    issuer.set_max_age(1);
    let rig = Rig::start(folder.path(), vec![guarded(origin.address, issuer.address)]).await;
    let old = issuer.bearer("agent-1");
    assert_eq!(rig.get("/agents/x", &[&old]).await.status, 200);
    issuer.publish(&[1]);
    let new = format!("Authorization: Bearer {}", issuer.token("agent-1", 1));
    until("the new key is known", async || rig.get("/agents/x", &[&new]).await.status == 200).await;
    assert_eq!(rig.get("/agents/x", &[&old]).await.status, 401, "also from the cache");
    issuer.set_manner(Manner::Failing);
    until("contact is lost", async || rig.get("/agents/x", &[]).await.status == 503).await;
    assert_eq!(rig.get("/agents/x", &[&new]).await.status, 200);
}
