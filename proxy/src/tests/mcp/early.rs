//! An origin that answers before it was sent what it answers.

use super::super::rig::until;
use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn an_early_answer_is_shown_only_once_the_message_was_judged() {
    let folder = tempfile::tempdir().unwrap();
    let (rig, origin, issuer) = rig(folder.path()).await;
    let bearer = issuer.bearer("agent-1");
    let fields = [&*bearer];
    for bytes in [1000, 65_536, 300_000] {
        let answer = post_chunked(&rig, "/early", &fields, &call("search", bytes)).await;
        assert_eq!((answer.status, &*answer.body), (200, "early"), "{bytes}");
        let answer = post_chunked(&rig, "/early", &fields, &call("internal_x", bytes)).await;
        assert_eq!((answer.status, answer.json()["error"]["code"].as_i64()), (200, Some(-32602)), "{bytes}");
        let answer = post_chunked(&rig, "/early", &fields, &call("delete_x", bytes)).await;
        assert_eq!((answer.status, answer.reason().as_str()), (403, "insufficient_scope"), "{bytes}");
    }
    let answer = post_chunked(&rig, "/early", &fields, &call("search", 1_048_577)).await;
    assert_eq!((answer.status, answer.reason().as_str()), (413, "message_too_large"));
    assert!(!origin.after().contains("internal_x") && !origin.after().contains("delete_x"), "nothing of a refused one");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_decides_when_and_not_the_origin() {
    let folder = tempfile::tempdir().unwrap();
    let (rig, origin, issuer) = rig(folder.path()).await;
    let bearer = issuer.bearer("agent-1");
    for (tool, expected) in [("search", "early"), ("internal_x", "Unknown tool: internal_x")] {
        let before = origin.requests();
        let mut client = rig.client().await;
        let fields = ["Content-Type: application/json", "Transfer-Encoding: chunked", &bearer];
        client.request("POST", "/early", &fields).await;
        // The origin has answered by now, and nobody hears of it.
        until("the origin is asked", async || origin.requests() > before).await;
        let body = call(tool, 500);
        let (first, second) = body.split_at(200);
        for piece in [first, second] {
            client.write(format!("{:x}\r\n{piece}\r\n", piece.len()).as_bytes()).await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        client.write(b"0\r\n\r\n").await;
        let answer = client.answer().await;
        assert!(answer.body.contains(expected), "{}", answer.body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_said_to_be_long_waits_before_the_origin_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let (rig, origin, issuer) = rig(folder.path()).await;
    let bearer = issuer.bearer("agent-1");
    let body = call("internal_x", 200_000);
    let mut client = rig.client().await;
    client.request("POST", "/early", &["Content-Type: application/json", "Content-Length: 200000", &bearer]).await;
    let (first, second) = body.split_at(150_000);
    client.write(first.as_bytes()).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(origin.requests(), 0);
    client.write(second.as_bytes()).await;
    assert!(client.answer().await.body.contains("Unknown tool"));
    // Who leaves half-way has asked nothing.
    let mut client = rig.client().await;
    client.request("POST", "/early", &["Content-Type: application/json", "Content-Length: 200000", &bearer]).await;
    client.write(first.as_bytes()).await;
    drop(client);
    let lines = rig.lines(2).await;
    assert_eq!(origin.requests(), 0);
    assert!(lines[1]["status"].is_null(), "{lines:?}");
}
