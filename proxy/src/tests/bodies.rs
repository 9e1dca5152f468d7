//! Bodies of requests that are answered by the gateway, and of those that go on.

use std::time::{Duration, Instant};

use super::issuer::Issuer;
use super::origin::Origin;
use super::rig::{Rig, guarded};

async fn rig(folder: &std::path::Path) -> (Rig, Origin) {
    let (origin, issuer) = (Origin::start().await, Issuer::start().await);
    (Rig::start(folder, vec![guarded(origin.address, issuer.address)]).await, origin)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_request_with_a_short_body_keeps_its_connection() {
    let folder = tempfile::tempdir().unwrap();
    let (rig, origin) = rig(folder.path()).await;
    let mut client = rig.client().await;
    for _ in 0..2 {
        client.request("POST", "/agents/x", &["Content-Length: 5"]).await;
        client.write(b"hello").await;
        let answer = client.answer().await;
        assert_eq!((answer.status, answer.reason().as_str()), (401, "passport_required"));
        client.request("POST", "/agents/x", &["Transfer-Encoding: chunked"]).await;
        client.write(b"5\r\nhello\r\n0\r\n\r\n").await;
        assert_eq!(client.answer().await.status, 401);
    }
    client.request("GET", "/open", &[]).await;
    assert_eq!(client.answer().await.status, 200);
    assert_eq!(origin.requests(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_upload_behind_a_refusal_is_answered_and_cut() {
    let folder = tempfile::tempdir().unwrap();
    let (rig, origin) = rig(folder.path()).await;
    let mut client = rig.client().await;
    client.request("POST", "/agents/x", &["Content-Length: 100000000"]).await;
    let answer = client.answer().await;
    assert_eq!(answer.status, 401);
    assert_eq!(answer.header("connection"), Some("close"));
    client.closed().await;
    // One that never says how long it is, and one that says much and sends nothing.
    let mut client = rig.client().await;
    client.request("POST", "/agents/x", &["Transfer-Encoding: chunked"]).await;
    let chunk = format!("8000\r\n{}\r\n", "x".repeat(0x8000));
    for _ in 0..3 {
        client.write(chunk.as_bytes()).await;
    }
    assert_eq!(client.answer().await.status, 401);
    client.closed().await;
    let started = Instant::now();
    let mut client = rig.client().await;
    client.request("POST", "/agents/x", &["Content-Length: 10"]).await;
    assert_eq!(client.answer().await.status, 401);
    client.closed().await;
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    assert_eq!(origin.requests(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_waits_to_be_asked_is_told_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let (rig, _origin) = rig(folder.path()).await;
    let started = Instant::now();
    let mut client = rig.client().await;
    client.request("POST", "/agents/x", &["Content-Length: 10", "Expect: 100-continue"]).await;
    assert_eq!(client.answer().await.status, 401);
    assert!(started.elapsed() < Duration::from_millis(900), "{:?}", started.elapsed());
    client.closed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unread_body_is_never_taken_for_the_next_request() {
    let folder = tempfile::tempdir().unwrap();
    let (rig, origin) = rig(folder.path()).await;
    let smuggled = "GET /open/smuggled HTTP/1.1\r\nHost: shop.example\r\n\r\n";
    let mut client = rig.client().await;
    let length = format!("Content-Length: {}", smuggled.len());
    client.request("POST", "/agents/x", &[&length]).await;
    client.write(smuggled.as_bytes()).await;
    assert_eq!(client.answer().await.status, 401);
    client.request("GET", "/open/honest", &[]).await;
    assert!(client.answer().await.body.starts_with("GET /open/honest "));
    assert_eq!(origin.requests(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_go_through_whole() {
    let folder = tempfile::tempdir().unwrap();
    let (rig, _origin) = rig(folder.path()).await;
    let body = "0123456789abcdef".repeat(20_000);
    let mut client = rig.client().await;
    client.request("POST", "/open", &[&format!("Content-Length: {}", body.len())]).await;
    client.write(body.as_bytes()).await;
    let answer = client.answer().await;
    assert!(answer.body.ends_with(&body));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_request_is_refused_without_a_body() {
    let folder = tempfile::tempdir().unwrap();
    let (rig, _origin) = rig(folder.path()).await;
    let mut client = rig.client().await;
    for _ in 0..2 {
        client.request("HEAD", "/agents/x", &[]).await;
        let answer = client.answer_to("HEAD").await;
        assert_eq!(answer.status, 401);
        assert_ne!(answer.header("content-length"), Some("0"));
    }
}
