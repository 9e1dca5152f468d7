//! Streams go through untouched, both ways.

use tokio::time::timeout;

use super::origin::Origin;
use super::rig::{PATIENCE, Rig, shop, until};

#[tokio::test(flavor = "multi_thread")]
async fn pieces_of_a_stream_come_as_they_are_sent() {
    let folder = tempfile::tempdir().unwrap();
    let origin = Origin::start().await;
    let rig = Rig::start(folder.path(), vec![shop(origin.address)]).await;
    let mut client = rig.client().await;
    client.request("GET", "/stream", &["Accept: text/event-stream"]).await;
    assert!(client.head().await.starts_with("HTTP/1.1 200"));
    for _ in 0..3 {
        let piece = timeout(PATIENCE, client.chunk()).await.expect("at once").unwrap();
        assert_eq!(piece, b"piece\n");
        origin.go_on.notify_one();
    }
    drop(client);
    until("the origin is told that the reader left", async || origin.closed() == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_websocket_is_a_tunnel_however_quickly_the_origin_answers() {
    let folder = tempfile::tempdir().unwrap();
    let origin = Origin::start().await;
    let rig = Rig::start(folder.path(), vec![shop(origin.address)]).await;
    let upgrade = ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: x", "Sec-WebSocket-Version: 13"];
    // Without a way round it, one in some two thousand fails.
    let rounds = if std::env::var_os("LIME_TEST_LONG").is_some() { 20_000 } else { 100 };
    for round in 1..=rounds {
        let mut client = rig.client().await;
        client.request("GET", "/socket", &upgrade).await;
        let head = client.head().await;
        assert!(head.starts_with("HTTP/1.1 101"), "{head}");
        for message in [&b"\x81\x05hello"[..], b"\x82\x03\0\xff\0"] {
            client.write(message).await;
            assert_eq!(client.bytes(message.len()).await, message, "round {round}");
        }
        drop(client);
        until("the origin's end is closed too", async || origin.closed() == round).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_that_the_origin_declines_is_answered_as_any_request() {
    let folder = tempfile::tempdir().unwrap();
    let origin = Origin::start().await;
    let rig = Rig::start(folder.path(), vec![shop(origin.address)]).await;
    let mut client = rig.client().await;
    for _ in 0..20 {
        client.request("GET", "/plain", &["Connection: Upgrade", "Upgrade: websocket"]).await;
        assert_eq!(client.answer().await.status, 200);
        client.request("GET", "/plain", &["Connection: Upgrade", "Upgrade: h2c"]).await;
        let answer = client.answer().await;
        assert!(answer.status == 200 && !answer.body.contains("h2c"), "{}", answer.body);
    }
}
