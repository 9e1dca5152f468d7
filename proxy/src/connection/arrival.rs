//! The arrival of a head: everything up to the empty line, within bounds of time and space.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use bytes::{Buf as _, BytesMut};
use filters::HEAD_BYTES_MAX;
use memchr::memchr_iter;
use pingora::protocols::Stream;
use pingora::server::ShutdownWatch;
use tokio::io::AsyncReadExt as _;
use tokio::time::{Instant, Sleep, timeout_at};

use crate::gate::KEEPALIVE_SECONDS;

/// From the first byte of a head to its last. Whoever is slower than this has no network, or wants to hold us up.
const HEAD_TIME_MAX: Duration = Duration::from_secs(10);

/// How long a connection is kept on which nothing is asked.
pub(super) const IDLE_MAX: Duration = Duration::from_secs(KEEPALIVE_SECONDS);

/// Most heads fit.
const BUFFER_BYTES: usize = 4 * 1024;

/// What came of waiting for a head.
#[derive(Debug)]
pub(super) enum Arrival {
    /// The first `length` bytes are a head, or break off where no head goes on; what follows them came with it.
    Head { bytes: BytesMut, length: usize },
    /// More than [`HEAD_BYTES_MAX`] bytes.
    TooLong(BytesMut),
    /// Begun and not ended in time.
    TooSlow(BytesMut),
    /// The client is gone or says nothing, or the gateway stops.
    Nothing,
}

/// The end of a connection that waits for a head: nothing is asked for too long, or the gateway stops. Kept from one
/// request to the next, so that a wait costs no new timer and no new place among those who hear of a stop.
#[derive(Debug)]
pub(super) struct Patience<'a, F> {
    /// How long a connection may say nothing.
    pub(super) idle_max: Duration,
    pub(super) idle: Pin<&'a mut Sleep>,
    pub(super) stopped: Pin<&'a mut F>,
}

/// Resolves when the gateway stops.
pub(super) async fn stopped(stop: &mut ShutdownWatch) {
    // An error is that nobody is left to tell of a stop: as good as one.
    drop(stop.wait_for(|is_stopping| *is_stopping).await);
}

/// The next head on a connection.
pub(super) async fn next_head<F: Future<Output = ()>>(stream: &mut Stream, patience: &mut Patience<'_, F>) -> Arrival {
    let mut bytes = BytesMut::with_capacity(BUFFER_BYTES);
    let began = Instant::now();
    loop {
        tokio::select! {
            biased;
            read = stream.read_buf(&mut bytes) => match read {
                Ok(0) | Err(_) => return Arrival::Nothing,
                Ok(_) => break,
            },
            () = &mut patience.stopped => return Arrival::Nothing,
            // Set when the connection began to wait some time ago, perhaps not for this head.
            () = &mut patience.idle => {
                let ends = began + patience.idle_max;
                if Instant::now() >= ends {
                    return Arrival::Nothing;
                }
                patience.idle.as_mut().reset(ends);
            }
        }
    }
    let mut scanned = 0;
    match end(&mut bytes, &mut scanned) {
        Some(length) => whole(bytes, length),
        None => rest(stream, bytes, scanned).await,
    }
}

/// The rest of a head that did not come in one piece.
async fn rest(stream: &mut Stream, mut bytes: BytesMut, mut scanned: usize) -> Arrival {
    let deadline = Instant::now() + HEAD_TIME_MAX;
    loop {
        if bytes.len() > HEAD_BYTES_MAX {
            return Arrival::TooLong(bytes);
        }
        match timeout_at(deadline, stream.read_buf(&mut bytes)).await {
            Ok(Ok(0) | Err(_)) => return Arrival::Nothing,
            Ok(Ok(_)) => {}
            Err(_) => return Arrival::TooSlow(bytes),
        }
        if let Some(length) = end(&mut bytes, &mut scanned) {
            return whole(bytes, length);
        }
    }
}

fn whole(bytes: BytesMut, length: usize) -> Arrival {
    if length > HEAD_BYTES_MAX { Arrival::TooLong(bytes) } else { Arrival::Head { bytes, length } }
}

/// Where the head ends: behind its empty line, or behind a line feed that stands alone, after which nothing is believed.
/// `scanned` bytes were looked at before.
fn end(bytes: &mut BytesMut, scanned: &mut usize) -> Option<usize> {
    // Some clients send an empty line after a body (RFC 9112 §2.2).
    while *scanned == 0 && bytes.starts_with(b"\r\n") {
        bytes.advance(2);
    }
    let from = *scanned;
    for feed in memchr_iter(b'\n', bytes.get(from..).unwrap_or_default()) {
        let length = from + feed + 1;
        let line = bytes.get(..length).unwrap_or_default();
        if !line.ends_with(b"\r\n") || line.ends_with(b"\n\r\n") {
            return Some(length);
        }
    }
    *scanned = bytes.len();
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pieces: &[&str], expected: Option<usize>) {
        let (mut bytes, mut scanned, mut found) = (BytesMut::new(), 0, None);
        for piece in pieces {
            assert_eq!(found, None, "{pieces:?}");
            bytes.extend_from_slice(piece.as_bytes());
            found = end(&mut bytes, &mut scanned);
        }
        assert_eq!(found, expected, "{pieces:?}");
    }

    #[test]
    fn a_head_ends_behind_its_empty_line_however_it_comes() {
        check(&["GET /\r\nA: b\r\n\r\n"], Some(15));
        check(&["GET /\r\nA: b\r\n\r\nbody\r\n\r\n"], Some(15));
        check(&["GET /\r\nA: b\r\n"], None);
        check(&["G", "ET /\r", "\n\r", "\n"], Some(9));
        check(&["GET /\r\n", "\r\n"], Some(9));
        check(&["\r\n\r\nGET /\r\n\r\n"], Some(9));
        check(&["\r\n", "GET /\r\n\r\n"], Some(9));
    }

    #[test]
    fn nothing_is_read_past_a_line_feed_that_stands_alone() {
        check(&["GET /\nA: b\n\n"], Some(6));
        check(&["GET /\r\nA: b\nC: d\r\n\r\n"], Some(12));
        check(&["\n"], Some(1));
    }
}
