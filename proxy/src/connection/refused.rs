//! The end of a connection on which something came that is no request: an answer in HTTP/1, and a line in the log.

use std::fmt::Write as _;
use std::time::Duration;

use filters::{Accepts, Reason, Reply, RequestLine};
use http::Method;
use pingora::protocols::Stream;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use super::peer;
use crate::context::{Context, End};
use crate::downstream::{DRAIN_BYTES_MAX, DRAIN_TIME_MAX};
use crate::forwarded::Source;
use crate::gate::{Gate, decided, refuse_form};

/// For an answer of a few hundred bytes to somebody who may not read.
const WRITE_TIME_MAX: Duration = Duration::from_secs(5);

/// Says why, and closes. `bytes` are what came of the request.
pub(super) async fn answer(gate: &Gate, mut stream: Stream, bytes: &[u8], reason: Reason) {
    let mut context = gate.new_context();
    context.source = peer(&stream).map(Source::unheard);
    context.decision = decided(reason);
    let line = RequestLine::of(bytes).ok();
    let method = line.and_then(|line| Method::from_bytes(line.method).ok());
    let reply = refuse_form(None, reason, context.request_id(), Accepts::Document);
    let is_head = method.as_ref() == Some(&Method::HEAD);
    let sent = timeout(WRITE_TIME_MAX, send(&mut stream, &reply, is_head)).await;
    let was_sent = matches!(sent, Ok(Ok(())));
    record(&mut context, method.as_ref(), line, was_sent.then_some(&reply));
    drop(context);
    if was_sent {
        linger(stream).await;
    }
}

fn record(context: &mut Context, method: Option<&Method>, line: Option<RequestLine<'_>>, sent: Option<&Reply>) {
    let target = line.map(|line| line.target).unwrap_or_default();
    context.record(&End {
        method,
        path: target.split(|byte| *byte == b'?').next().unwrap_or_default(),
        status: sent.map(|reply| reply.status.as_u16()),
        body_bytes: sent.map(|reply| reply.body.len()).unwrap_or_default(),
        headers: None,
    });
}

async fn send(stream: &mut Stream, reply: &Reply, is_head: bool) -> std::io::Result<()> {
    let reason = reply.status.canonical_reason().unwrap_or_default();
    let mut head = format!("HTTP/1.1 {} {reason}\r\n", reply.status.as_u16());
    for (name, value) in &reply.headers {
        // Ours are ASCII.
        write!(head, "{name}: {}\r\n", value.to_str().unwrap_or_default()).unwrap_or_default();
    }
    write!(head, "Content-Length: {}\r\nConnection: close\r\n\r\n", reply.body.len()).unwrap_or_default();
    stream.write_all(head.as_bytes()).await?;
    if !is_head {
        stream.write_all(&reply.body).await?;
    }
    stream.flush().await
}

/// Closed with unread bytes, the client's system would throw our answer away: take some of them first.
async fn linger(mut stream: Stream) {
    let taken = timeout(DRAIN_TIME_MAX, async {
        stream.shutdown().await?;
        let mut left = DRAIN_BYTES_MAX;
        let mut piece = [0; 4096];
        while let read @ 1.. = stream.read(&mut piece).await? {
            left = left.saturating_sub(read);
            if left == 0 {
                break;
            }
        }
        Ok::<_, std::io::Error>(())
    });
    // However it ends, the connection does.
    drop(taken.await);
}
