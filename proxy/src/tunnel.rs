//! Connections to origins for requests that ask for a websocket.
//!
//! Pingora ends a tunnel when it reads the origin's `101` before it has noticed that the request has no body (its issue
//! 946): both wait for it at once, and it picks either. An origin that answers quickly meets this often. So such a
//! connection gives what it reads a moment later than it could: once Pingora has had its turn at everything else. Of 20,000 upgrades in a row none was ended so
//! (`tests/run --long`).

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use pingora::connectors::L4Connect;
use pingora::protocols::l4::socket::SocketAddr;
use pingora::protocols::l4::stream::Stream;
use pingora::protocols::l4::virt::{VirtualSockOpt, VirtualSocket, VirtualSocketStream};
use pingora::upstreams::peer::HttpPeer;
use pingora::{Error, ErrorType, OrErr as _};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::upstream::CONNECT_TIMEOUT;

/// Turns that reading lets pass after something was written.
const TURNS: u8 = 3;

/// Never waits for another request: a tunnel's connection belongs to it.
const NOT_KEPT: Duration = Duration::from_millis(1);

/// Makes a peer one for a request that asks for a websocket.
pub(crate) fn prepare(peer: &mut HttpPeer) {
    let patience = peer.options.connection_timeout.unwrap_or(CONNECT_TIMEOUT);
    peer.options.custom_l4 = Some(Arc::new(Patient { patience }));
    peer.options.idle_timeout = Some(NOT_KEPT);
    // Apart from the connections of other requests, which may be reused.
    peer.group_key = !peer.group_key;
}

#[derive(Debug)]
struct Patient {
    /// How long a connection may take.
    patience: Duration,
}

#[async_trait]
impl L4Connect for Patient {
    async fn connect(&self, address: &SocketAddr) -> pingora::Result<Stream> {
        let address = address.as_inet().ok_or_else(|| Error::new(ErrorType::SocketError))?;
        let connected = timeout(self.patience, TcpStream::connect(address)).await;
        let stream = connected.or_err(ErrorType::ConnectTimedout, "connecting a tunnel")?;
        let stream = stream.map_err(|cause| Error::because(kind(&cause), "connecting a tunnel", cause))?;
        Ok(Stream::from(VirtualSocketStream::new(Box::new(PatientSocket { stream, turns: 0 }))))
    }
}

fn kind(cause: &io::Error) -> ErrorType {
    if cause.kind() == io::ErrorKind::ConnectionRefused { ErrorType::ConnectRefused } else { ErrorType::ConnectError }
}

#[derive(Debug)]
struct PatientSocket {
    stream: TcpStream,
    turns: u8,
}

impl AsyncRead for PatientSocket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.turns > 0 {
            self.turns -= 1;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for PatientSocket {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.turns = TURNS;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl VirtualSocket for PatientSocket {
    fn set_socket_option(&self, option: VirtualSockOpt) -> io::Result<()> {
        // Nothing else is asked for: see `upstream`.
        if matches!(option, VirtualSockOpt::NoDelay) { self.stream.set_nodelay(true) } else { Ok(()) }
    }
}
