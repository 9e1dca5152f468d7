//! Reading a message of known length, so that Pingora can send it on.
//!
//! Pingora sends on what was read before the origin is asked only if it has kept it, and it keeps 64 KiB. Of a longer
//! message it is let keep the end alone; that is enough for it to ask for the body once, and it is given all of it then
//! (see [`Gate::request_body_filter`](crate::Gate::request_body_filter)).

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use pingora::proxy::Session;
use pingora::{Error, ErrorType};
use tokio::time::timeout;

/// What Pingora keeps of a body (`BODY_BUF_LIMIT`). It reads no more than that at a time.
pub(super) const KEPT_BYTES_MAX: usize = 64 * 1024;

/// From a message's first byte to its last. Whoever is slower than this holds up memory, not a call.
pub(super) const TIME_MAX: Duration = Duration::from_secs(60);

/// The whole body, of `length` bytes.
pub(super) async fn read(session: &mut Session, length: usize) -> pingora::Result<Bytes> {
    let body = timeout(TIME_MAX, read_all(session, length)).await.map_err(|_| too_slow())??;
    let is_kept = body.is_empty() || session.as_downstream().get_retry_buffer().is_some();
    // No client is known to bring it about; but a message that is not sent on must not seem to be.
    if body.len() == length && is_kept { Ok(body) } else { Err(Error::new_in(ErrorType::InternalError)) }
}

async fn read_all(session: &mut Session, length: usize) -> pingora::Result<Bytes> {
    let mut body = BytesMut::with_capacity(length.min(KEPT_BYTES_MAX));
    loop {
        if length.saturating_sub(body.len()) <= KEPT_BYTES_MAX {
            session.as_downstream_mut().enable_retry_buffering();
        }
        match session.read_request_body().await {
            Ok(Some(piece)) => body.extend_from_slice(&piece),
            Ok(None) => return Ok(body.freeze()),
            Err(error) => return Err(error.into_down()),
        }
    }
}

pub(super) fn too_slow() -> Box<Error> {
    Error::new_down(ErrorType::ReadTimedout)
}
