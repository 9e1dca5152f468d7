//! The client's side of a request: what Pingora read, as the chain wants to see it, and answers of our own.

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use filters::Reply;
use http::header::{CONTENT_LENGTH, EXPECT};
use http::{Method, StatusCode};
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::proxy::Session;
use tokio::time::timeout;

/// What is read of a body nobody wants, so that the connection can be kept or the client reads our answer.
pub(crate) const DRAIN_BYTES_MAX: usize = 64 * 1024;
pub(crate) const DRAIN_TIME_MAX: Duration = Duration::from_secs(1);

/// The path as it came, without the query.
pub(crate) fn path(header: &RequestHeader) -> &[u8] {
    let target = header.raw_path();
    // An absolute target (RFC 9112 §3.2.2) has its path in the URI.
    let target = if matches!(target, [b'/' | b'*', ..]) { target } else { header.uri.path().as_bytes() };
    target.split(|byte| *byte == b'?').next().unwrap_or_default()
}

/// The query as it came.
pub(crate) fn query(header: &RequestHeader) -> &[u8] {
    let target = header.raw_path();
    target.iter().position(|byte| *byte == b'?').and_then(|at| target.get(at + 1..)).unwrap_or_default()
}

/// The other end of the connection.
pub(crate) fn peer(session: &Session) -> Option<IpAddr> {
    session.client_addr().and_then(|address| address.as_inet()).map(std::net::SocketAddr::ip)
}

/// `https` when the client speaks TLS to us.
pub(crate) fn scheme(session: &Session) -> &'static str {
    let is_tls = session.digest().is_some_and(|digest| digest.ssl_digest.is_some());
    if is_tls { "https" } else { "http" }
}

/// Answers a request, and sees to its body: what is short and comes at once is read, so that the connection can be
/// kept; a stranger who uploads without end is cut off.
pub(crate) async fn answer(session: &mut Session, reply: Reply) -> pingora::Result<()> {
    let waits = session.get_header(EXPECT).is_some();
    let is_long = declared_length(session).is_some_and(|length| length > DRAIN_BYTES_MAX);
    let unread = !session.is_body_done();
    // Whoever waits for `100 Continue` has sent nothing yet, and is told first; so is whoever sends too much.
    let first = unread && !waits && !is_long;
    if first && !drain(session).await {
        session.set_keepalive(None);
    }
    write(session, reply).await?;
    if unread && is_long && !waits {
        // Closed with unread bytes, the client's system would throw our answer away: take some of them first.
        drain(session).await;
    }
    Ok(())
}

/// What `Content-Length` says.
pub(crate) fn declared_length(session: &Session) -> Option<usize> {
    session.get_header(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Reads the rest of the body within bounds. Whether that was all of it.
async fn drain(session: &mut Session) -> bool {
    let all = timeout(DRAIN_TIME_MAX, async {
        let mut left = DRAIN_BYTES_MAX;
        loop {
            match session.read_request_body().await {
                Ok(Some(piece)) if piece.len() <= left => left -= piece.len(),
                Ok(Some(_)) | Err(_) => return false,
                Ok(None) => return true,
            }
        }
    });
    all.await.unwrap_or(false)
}

async fn write(session: &mut Session, reply: Reply) -> pingora::Result<()> {
    let Reply { status, headers, body } = reply;
    let mut header = ResponseHeader::build(status, Some(headers.len() + 3))?;
    for (name, value) in headers {
        header.append_header(name, value)?;
    }
    header.insert_header(CONTENT_LENGTH, body.len().to_string())?;
    let bodiless = body.is_empty() || session.req_header().method == Method::HEAD || status == StatusCode::NO_CONTENT;
    session.write_response_header(Box::new(header), bodiless).await?;
    if !bodiless {
        session.write_response_body(Some(Bytes::clone(&body)), true).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_is_what_came_without_the_query() {
        for (target, expected) in [
            ("/a", "/a"),
            ("/a?b=/c", "/a"),
            ("/a%3fb?c", "/a%3fb"),
            ("/?", "/"),
            ("//a", "//a"),
            ("*", "*"),
            ("http://shop.example/a?b", "/a"),
            ("http://shop.example", "/"),
        ] {
            let header = RequestHeader::build("GET", target.as_bytes(), None).unwrap();
            assert_eq!(path(&header), expected.as_bytes(), "{target}");
        }
    }
}
