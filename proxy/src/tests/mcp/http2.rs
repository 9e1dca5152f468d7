//! HTTP/2, from the client and to the origin.

use bytes::Bytes;
use config::{OriginProtocol, Server};
use http::{Request, Response};
use tokio::net::TcpListener;

use super::super::tls::{h2, tls};
use super::*;

/// Posts a message in frames; says how long it is, or does not.
async fn post_h2(
    client: &h2::client::SendRequest<Bytes>,
    path: &str,
    bearer: &str,
    body: &str,
    says_length: bool,
) -> (u16, String) {
    let token = bearer.strip_prefix("Authorization: ").unwrap();
    let mut request = Request::post(format!("https://shop.example{path}"))
        .header("content-type", "application/json")
        .header("authorization", token);
    if says_length {
        request = request.header("content-length", body.len());
    }
    let request = request.body(()).unwrap();
    let (answer, mut stream) = client.clone().ready().await.unwrap().send_request(request, false).unwrap();
    let mut left = Bytes::from(body.to_owned());
    let sent = tokio::spawn(async move {
        while !left.is_empty() {
            stream.reserve_capacity(left.len().min(16_384));
            let Some(Ok(room)) = std::future::poll_fn(|context| stream.poll_capacity(context)).await else { return };
            let piece = left.split_to(room.min(left.len()));
            if stream.send_data(piece, left.is_empty()).is_err() {
                return;
            }
        }
    });
    let (head, mut body) = answer.await.unwrap().into_parts();
    let mut text = Vec::new();
    while let Some(piece) = body.data().await {
        let piece = piece.unwrap();
        drop(body.flow_control().release_capacity(piece.len()));
        text.extend_from_slice(&piece);
    }
    sent.abort();
    (head.status.as_u16(), String::from_utf8(text).unwrap())
}

async fn start(folder: &std::path::Path, site: Site) -> Rig {
    let with_tls = |server: &mut Server| server.tls = Some(tls("shop.example.key"));
    Rig::start_with(folder, vec![site], with_tls).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_over_http_2_is_judged_as_any() {
    let folder = tempfile::tempdir().unwrap();
    let (origin, issuer) = (Origin::start().await, Issuer::start().await);
    let rig = start(folder.path(), mcp_site(&origin, &issuer)).await;
    let client = h2(&rig).await;
    let bearer = issuer.bearer("agent-1");
    for says_length in [true, false] {
        for bytes in [100, 65_535, 65_536, 65_537, 1_048_576] {
            let body = call("search", bytes);
            let (status, text) = post_h2(&client, "/mcp", &bearer, &body, says_length).await;
            assert_eq!(status, 200, "{bytes} {says_length}: {text}");
            assert!(text.contains(&body), "{bytes} {says_length}");
            let body = call("internal_x", bytes);
            let (status, text) = post_h2(&client, "/mcp", &bearer, &body, says_length).await;
            assert!(status == 200 && text.contains("Unknown tool: internal_x"), "{bytes} {says_length}: {text}");
        }
        let (status, _) = post_h2(&client, "/mcp", &bearer, &call("search", 1_048_577), says_length).await;
        assert_eq!(status, 413, "{says_length}");
        let (status, text) = post_h2(&client, "/early", &bearer, &call("internal_x", 200_000), says_length).await;
        assert!(status == 200 && text.contains("Unknown tool: internal_x"), "{says_length}: {text}");
    }
    let (status, text) = post_h2(&client, "/early", &bearer, &call("search", 200_000), false).await;
    assert_eq!((status, &*text), (200, "early"));
}

/// An origin that speaks HTTP/2 and gives every body back; below `/early` it answers before it has one.
async fn origin_of_http2() -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut connection = h2::server::Builder::new()
                    .initial_window_size(4_000_000)
                    .initial_connection_window_size(8_000_000)
                    .handshake::<_, Bytes>(stream)
                    .await
                    .unwrap();
                while let Some(Ok((request, mut respond))) = connection.accept().await {
                    tokio::spawn(async move {
                        let is_early = request.uri().path() == "/early";
                        let mut body = request.into_body();
                        let mut text = Vec::new();
                        if is_early {
                            let Ok(mut stream) = respond.send_response(Response::new(()), false) else { return };
                            return stream.send_data(Bytes::from_static(b"early"), true).unwrap_or_default();
                        }
                        while let Some(Ok(piece)) = body.data().await {
                            text.extend_from_slice(&piece);
                        }
                        let Ok(mut stream) = respond.send_response(Response::new(()), false) else { return };
                        stream.send_data(text.into(), true).unwrap_or_default();
                    });
                }
            });
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_to_an_origin_of_http_2_is_judged_as_any() {
    let folder = tempfile::tempdir().unwrap();
    let issuer = Issuer::start().await;
    let mut site = with_endpoints(guarded(origin_of_http2().await, issuer.address));
    site.origin.protocol = OriginProtocol::Http2;
    let rig = start(folder.path(), site).await;
    let client = h2(&rig).await;
    let bearer = issuer.bearer("agent-1");
    for bytes in [100, 65_535, 65_536, 65_537, 1_048_576] {
        let (body, hidden) = (call("search", bytes), call("internal_x", bytes));
        let answer = post(&rig, "/mcp", &[&bearer], &body).await;
        assert!(answer.status == 200 && answer.body == body, "{bytes}: {}", answer.status);
        let answer = post_chunked(&rig, "/mcp", &[&bearer], &body).await;
        assert!(answer.status == 200 && answer.body == body, "{bytes}: {}", answer.status);
        assert!(post(&rig, "/mcp", &[&bearer], &hidden).await.body.contains("Unknown tool"), "{bytes}");
        assert!(post_chunked(&rig, "/mcp", &[&bearer], &hidden).await.body.contains("Unknown tool"), "{bytes}");
        for says_length in [true, false] {
            let (status, text) = post_h2(&client, "/mcp", &bearer, &body, says_length).await;
            assert!(status == 200 && text == body, "{bytes}: {status}");
            let (_, text) = post_h2(&client, "/mcp", &bearer, &hidden, says_length).await;
            assert!(text.contains("Unknown tool"), "{bytes}");
        }
    }
    let answer = post_chunked(&rig, "/mcp", &[&bearer], &call("search", 1_048_577)).await;
    assert_eq!(answer.status, 413);
    let answer = post_chunked(&rig, "/early", &[&bearer], &call("internal_x", 200_000)).await;
    assert!(answer.body.contains("Unknown tool"), "{}", answer.body);
    // An answer that was there before the message would never end, and is none.
    let answer = post_chunked(&rig, "/early", &[&bearer], &call("search", 200_000)).await;
    assert!(answer.status == 502 || answer.body == "early", "{} {}", answer.status, answer.body);
}
