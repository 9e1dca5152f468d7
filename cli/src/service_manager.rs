//! What a service manager that started us is told, by the protocol of `sd_notify(3)`: a datagram to `$NOTIFY_SOCKET`.
//!
//! Written here and not taken from a crate: it is one datagram, and what comes from outside is one path.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use nix::sys::time::TimeValLike as _;
use nix::time::{ClockId, clock_gettime};

/// What has become of us.
#[derive(Clone, Copy, Debug)]
pub(crate) enum News {
    /// Listeners are bound: a connection made from now on is answered.
    Ready,
    /// The configuration is read again; [`News::Ready`] follows, whatever came of it.
    Reloading,
    /// No new connection is taken; those in flight are served to their end.
    Stopping,
}

impl News {
    fn message(self) -> String {
        match self {
            Self::Ready => "READY=1".to_owned(),
            Self::Reloading => format!("RELOADING=1\nMONOTONIC_USEC={}", monotonic_micros()),
            Self::Stopping => "STOPPING=1".to_owned(),
        }
    }
}

/// Tells it, if anybody asked to be told. One who cannot be told is no reason not to serve.
pub(crate) fn tell(news: News) {
    let Some(socket) = std::env::var_os("NOTIFY_SOCKET").filter(|socket| !socket.is_empty()) else { return };
    if let Err(error) = send(&socket, &news.message()) {
        tracing::warn!("the service manager at {} was not told {news:?}: {error}", socket.display());
    }
}

/// Tells of a stop as soon as `stop` is done.
pub(crate) async fn told(stop: impl Future<Output = ()>) {
    stop.await;
    tell(News::Stopping);
}

fn send(socket: &OsStr, message: &str) -> io::Result<()> {
    let address = match socket.as_bytes() {
        // A name that is in no file system, written with `@` for the NUL it begins with.
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        [b'/', ..] => SocketAddr::from_pathname(socket)?,
        _ => return Err(io::Error::other("NOTIFY_SOCKET is neither a path nor an abstract name")),
    };
    UnixDatagram::unbound()?.send_to_addr(message.as_bytes(), &address).map(drop)
}

/// When a reload began, by the clock that a service manager compares with its own.
fn monotonic_micros() -> i64 {
    clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(0, |now| now.num_microseconds())
}
