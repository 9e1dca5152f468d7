//! Clients that keep their connections and ask again as soon as they are answered (HTTP/1.1, `Content-Length` only).

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::inputs::SITE_HOST;
use crate::stage::PROTECTED_PATH;

/// Longest answer that is taken, in bytes: the one of the origin is small, a refusal not much larger.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Connections to one server.
pub(super) struct Client {
    connections: Vec<Connection>,
}

struct Connection {
    stream: TcpStream,
    request: Vec<u8>,
    received: Vec<u8>,
}

/// Tokens that take turns, and how many requests carry them.
#[derive(Clone)]
pub(super) struct Work {
    /// At least one.
    pub(super) tokens: Arc<[String]>,
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
        Ok(Self { stream, request: Vec::new(), received: Vec::new() })
    }

    async fn run(mut self, work: Work, next: Arc<AtomicUsize>) -> io::Result<Self> {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= work.requests {
                return Ok(self);
            }
            let token = work.tokens.get((work.first + number) % work.tokens.len()).map(String::as_str);
            let status = self.exchange(token).await?;
            if status != 200 {
                let text = String::from_utf8_lossy(&self.received);
                return Err(io::Error::other(format!("request {number} was answered {status}: {text}")));
            }
        }
    }

    async fn exchange(&mut self, token: Option<&str>) -> io::Result<u16> {
        self.request.clear();
        for piece in ["GET ", PROTECTED_PATH, " HTTP/1.1\r\nHost: ", SITE_HOST, "\r\nUser-Agent: agent/1.0\r\n"] {
            self.request.extend_from_slice(piece.as_bytes());
        }
        for piece in token.iter().flat_map(|token| ["Authorization: Bearer ", token, "\r\n"]) {
            self.request.extend_from_slice(piece.as_bytes());
        }
        self.request.extend_from_slice(b"Accept: */*\r\n\r\n");
        self.stream.write_all(&self.request).await?;
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

/// The status of one request on a connection of its own, with a token or without.
pub(super) async fn ask(server: SocketAddr, token: Option<&str>) -> io::Result<u16> {
    Connection::open(server).await?.exchange(token).await
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
