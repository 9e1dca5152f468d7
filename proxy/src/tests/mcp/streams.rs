//! Sessions and streams, and who they end with.

use super::super::rig::{PATIENCE, until};
use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_of_whom_it_was_given_to() {
    let folder = tempfile::tempdir().unwrap();
    let (rig, origin, issuer) = rig(folder.path()).await;
    let (one, two) = (issuer.bearer("agent-1"), issuer.bearer("agent-2"));
    let answer = post(&rig, "/session", &[&one], &call("search", 100)).await;
    let bound = answer.header("mcp-session-id").unwrap().to_owned();
    assert!(bound.starts_with("s-1.") && bound.len() > 20, "{bound}");
    let session = format!("Mcp-Session-Id: {bound}");
    let answer = post(&rig, "/session", &[&one, &session], &call("search", 100)).await;
    assert!(answer.body.to_lowercase().contains("mcp-session-id: s-1\r\n"), "{}", answer.body);
    let before = origin.requests();
    for (fields, method) in [([&*two, &*session], "POST"), ([&*two, &*session], "DELETE"), ([&*two, &*session], "GET")]
    {
        let answer = if method == "POST" {
            post(&rig, "/session", &fields, &call("search", 100)).await
        } else {
            rig.send(method, "/session", &fields).await
        };
        assert_eq!((answer.status, answer.reason().as_str()), (404, "session_unknown"), "{method}");
    }
    // An agent's other client, the origin's own id, and another endpoint of the site.
    let token = issuer.resource_bearer("https://shop.example/session", "", Duration::from_secs(300));
    for fields in [[&*token, &*session], [&*one, "Mcp-Session-Id: s-1"]] {
        assert_eq!(post(&rig, "/session", &fields, &call("search", 100)).await.status, 404, "{fields:?}");
    }
    assert_eq!(post(&rig, "/mcp", &[&one, &session], &call("search", 100)).await.status, 404);
    assert_eq!(origin.requests(), before);
    assert_eq!(rig.send("DELETE", "/session", &[&one, &session]).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_passed_on_as_it_comes_and_ends_with_its_reader() {
    let folder = tempfile::tempdir().unwrap();
    let (rig, origin, issuer) = rig(folder.path()).await;
    let bearer = issuer.bearer("agent-1");
    let body = call("search", 100);
    let mut client = rig.client().await;
    client.request("POST", "/stream", &["Content-Type: application/json", "Content-Length: 100", &bearer]).await;
    client.write(body.as_bytes()).await;
    let head = client.head().await;
    assert!(head.to_lowercase().contains("x-accel-buffering: no\r\n"), "{head}");
    for _ in 0..3 {
        // The origin takes the message for a word to go on, too.
        let piece = tokio::time::timeout(PATIENCE, client.chunk()).await.expect("at once").unwrap();
        assert!(piece.starts_with(b"piece\n"));
        origin.go_on.notify_one();
    }
    drop(client);
    until("the origin is told that the reader left", async || origin.closed() >= 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_with_the_token_it_was_opened_with() {
    let folder = tempfile::tempdir().unwrap();
    let (origin, issuer) = (Origin::start().await, Issuer::start().await);
    let rig = Rig::start(folder.path(), vec![exact(&issuer, mcp_site(&origin, &issuer))]).await;
    let open = async |token: &str| {
        let mut client = rig.client().await;
        client.request("GET", "/stream", &[token]).await;
        assert!(client.head().await.starts_with("HTTP/1.1 200"));
        client
    };
    let short = issuer.resource_bearer("https://shop.example/stream", "", Duration::from_secs(2));
    let long = issuer.resource_bearer("https://shop.example/stream", "", Duration::from_secs(300));
    let (mut short, mut long) = (open(&short).await, open(&long).await);
    let started = std::time::Instant::now();
    short.closed().await;
    assert!(started.elapsed() < Duration::from_secs(6), "{:?}", started.elapsed());
    until("the origin is told", async || origin.closed() >= 1).await;
    assert_eq!(tokio::time::timeout(PATIENCE, long.chunk()).await.unwrap().unwrap(), b"piece\n");
    origin.go_on.notify_one();
    assert_eq!(tokio::time::timeout(PATIENCE, long.chunk()).await.unwrap().unwrap(), b"piece\n", "the other goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_cannot_be_read_on_is_broken_off() {
    let folder = tempfile::tempdir().unwrap();
    let (rig, origin, issuer) = rig(folder.path()).await;
    let mut client = rig.client().await;
    client.request("GET", "/flood", &[&issuer.bearer("agent-1")]).await;
    assert!(client.head().await.starts_with("HTTP/1.1 200"));
    client.closed().await;
    until("the origin is told", async || origin.closed() >= 1).await;
}
