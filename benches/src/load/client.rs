//! Clients that keep their connections and ask again as soon as they are answered (HTTP/1.1, `Content-Length` only).

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::stage::PROTECTED_PATH;

/// The gateway fetches its keys in the background, right after its start.
const KEYS_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest answer that is taken, in bytes: the one of the origin is small, a refusal not much larger.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Connections to one server.
pub(super) struct Client {
    connections: Vec<Connection>,
}

struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
}

/// Requests that take turns, and how many are made.
#[derive(Clone)]
pub(super) struct Work {
    /// At least one, whole as they are sent.
    pub(super) of: Arc<[Box<[u8]>]>,
    /// The one to begin with.
    pub(super) first: usize,
    pub(super) requests: usize,
}

impl Client {
    pub(super) async fn connect(server: SocketAddr, connections: usize) -> io::Result<Self> {
        let mut client = Self { connections: Vec::new() };
        for _ in 0..connections {
            client.connections.push(Connection::open(server).await?);
        }
        Ok(client)
    }

    /// Makes all requests and says how long that took. Each has to be answered with 200.
    pub(super) async fn run(&mut self, work: &Work) -> io::Result<Duration> {
        let next = Arc::new(AtomicUsize::new(0));
        let mut running = JoinSet::new();
        let started = Instant::now();
        for connection in self.connections.drain(..) {
            running.spawn(connection.run(work.clone(), Arc::clone(&next)));
        }
        while let Some(ended) = running.join_next().await {
            self.connections.push(ended??);
        }
        Ok(started.elapsed())
    }
}

impl Connection {
    async fn open(server: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(server).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, received: Vec::new() })
    }

    async fn run(mut self, work: Work, next: Arc<AtomicUsize>) -> io::Result<Self> {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= work.requests {
                return Ok(self);
            }
            let request = work.of.get((work.first + number) % work.of.len()).ok_or(io::ErrorKind::InvalidInput)?;
            let status = self.exchange(request).await?;
            if status != 200 {
                let text = String::from_utf8_lossy(&self.received);
                return Err(io::Error::other(format!("request {number} was answered {status}: {text}")));
            }
        }
    }

    async fn exchange(&mut self, request: &[u8]) -> io::Result<u16> {
        self.stream.write_all(request).await?;
        self.received.clear();
        loop {
            if self.stream.read_buf(&mut self.received).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if let Some(answer) = Answer::read(&self.received)
                && self.received.len() >= answer.bytes
            {
                return Ok(answer.status);
            }
            if self.received.len() > ANSWER_BYTES_MAX {
                return Err(io::ErrorKind::InvalidData.into());
            }
        }
    }
}

/// A request of a small program for a protected path of `host`, with a token or without.
pub(super) fn request(host: &str, token: Option<&str>) -> Box<[u8]> {
    let token = token.map_or_else(String::new, |token| format!("Authorization: Bearer {token}\r\n"));
    let head = format!("GET {PROTECTED_PATH} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: agent/1.0\r\n{token}");
    format!("{head}Accept: */*\r\n\r\n").into_bytes().into()
}

/// The status of one request on a connection of its own.
pub(super) async fn ask(server: SocketAddr, request: &[u8]) -> io::Result<u16> {
    Connection::open(server).await?.exchange(request).await
}

/// Until the gateway takes the token of `admitted`, as it does once it has the keys; and what has none it must refuse,
/// or nothing that is measured means anything.
pub(super) async fn wait_until_ready(gateway: SocketAddr, admitted: &[u8], refused: &[u8]) -> io::Result<()> {
    let taken = async {
        while ask(gateway, admitted).await? != 200 {
            sleep(Duration::from_millis(20)).await;
        }
        io::Result::Ok(())
    };
    timeout(KEYS_TIMEOUT, taken).await.map_err(|_| io::Error::other("the gateway takes no token"))??;
    match ask(gateway, refused).await? {
        401 => Ok(()),
        status => Err(io::Error::other(format!("without a token the gateway answers {status}"))),
    }
}

/// The head of an answer.
#[derive(Debug, PartialEq, Eq)]
struct Answer {
    status: u16,
    /// Of head and body together.
    bytes: usize,
}

impl Answer {
    /// `None` before the head is there; one without `Content-Length` has no body.
    fn read(received: &[u8]) -> Option<Self> {
        let head_bytes = received.windows(4).position(|bytes| bytes == b"\r\n\r\n")? + 4;
        let head = std::str::from_utf8(received.get(..head_bytes)?).ok()?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        let mut fields = head.lines().filter_map(|line| line.split_once(':'));
        let length = fields.find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
        let body_bytes = length.map_or(Some(0), |(_, value)| value.trim().parse().ok())?;
        Some(Self { status, bytes: head_bytes + body_bytes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_ends_with_its_body() {
        assert_eq!(Answer::read(b"HTTP/1.1 200 OK\r\nContent-Le"), None);
        let answer = Answer::read(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n");
        assert_eq!(answer, Some(Answer { status: 200, bytes: 41 }));
        let answer = Answer::read(b"HTTP/1.1 401 Unauthorized\r\n\r\n");
        assert_eq!(answer, Some(Answer { status: 401, bytes: 29 }));
    }
}
