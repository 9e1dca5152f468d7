//! A client that writes the bytes it is told to.

use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::rig::PATIENCE;

pub(super) struct Client {
    pub(super) stream: TcpStream,
    unread: Vec<u8>,
}

#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }

    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.body))
    }

    pub(super) fn reason(&self) -> String {
        self.json()["reason"].as_str().unwrap().to_owned()
    }
}

impl Client {
    pub(super) async fn connect(address: SocketAddr) -> Self {
        Self { stream: TcpStream::connect(address).await.unwrap(), unread: Vec::new() }
    }

    pub(super) async fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    /// The same where the other side may have closed already.
    pub(super) async fn write_or_leave(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap_or_default();
    }

    /// A request to `shop.example` without a body.
    pub(super) async fn request(&mut self, method: &str, path: &str, fields: &[&str]) {
        let fields: String = fields.iter().map(|field| format!("{field}\r\n")).collect();
        self.write(format!("{method} {path} HTTP/1.1\r\nHost: shop.example\r\n{fields}\r\n").as_bytes()).await;
    }

    pub(super) async fn answer(&mut self) -> Answer {
        self.answer_to("GET").await
    }

    pub(super) async fn answer_to(&mut self, method: &str) -> Answer {
        timeout(PATIENCE, self.read_answer(method)).await.expect("an answer in time").expect("an answer")
    }

    /// Reads an answer; `None` when the connection ends before one.
    async fn read_answer(&mut self, method: &str) -> Option<Answer> {
        let head = read_head(&mut self.stream, &mut self.unread).await?;
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let answer = Answer { status, head, body: String::new() };
        let length = answer.header("content-length").map(|length| length.parse::<usize>().unwrap());
        let body = match length {
            _ if method == "HEAD" || status == 204 || status == 101 || status == 100 => Vec::new(),
            Some(length) => {
                while self.unread.len() < length {
                    fill(&mut self.stream, &mut self.unread).await?;
                }
                self.unread.drain(..length).collect()
            }
            None if answer.header("transfer-encoding") == Some("chunked") => self.chunks().await?,
            None => {
                while fill(&mut self.stream, &mut self.unread).await.is_some() {}
                std::mem::take(&mut self.unread)
            }
        };
        Some(Answer { body: String::from_utf8(body).unwrap(), ..answer })
    }

    async fn chunks(&mut self) -> Option<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let chunk = self.chunk().await?;
            if chunk.is_empty() {
                return Some(body);
            }
            body.extend(chunk);
        }
    }

    /// One chunk of a chunked body; the last one is empty.
    pub(super) async fn chunk(&mut self) -> Option<Vec<u8>> {
        let end = loop {
            if let Some(end) = self.unread.windows(2).position(|pair| pair == b"\r\n") {
                break end;
            }
            fill(&mut self.stream, &mut self.unread).await?;
        };
        let line: Vec<u8> = self.unread.drain(..end + 2).collect();
        let length = usize::from_str_radix(std::str::from_utf8(&line).unwrap().trim(), 16).unwrap();
        while self.unread.len() < length + 2 {
            fill(&mut self.stream, &mut self.unread).await?;
        }
        let mut chunk: Vec<u8> = self.unread.drain(..length + 2).collect();
        chunk.truncate(length);
        Some(chunk)
    }

    /// The head of an answer whose body is read otherwise.
    pub(super) async fn head(&mut self) -> String {
        timeout(PATIENCE, read_head(&mut self.stream, &mut self.unread)).await.unwrap().unwrap()
    }

    /// So many bytes as they come.
    pub(super) async fn bytes(&mut self, count: usize) -> Vec<u8> {
        while self.unread.len() < count {
            timeout(PATIENCE, fill(&mut self.stream, &mut self.unread)).await.unwrap().expect("more bytes");
        }
        self.unread.drain(..count).collect()
    }

    /// Waits for the other side to close. What still comes is thrown away.
    pub(super) async fn closed(&mut self) {
        let end = async { while fill(&mut self.stream, &mut self.unread).await.is_some() {} };
        timeout(PATIENCE, end).await.expect("closed in time");
    }
}

pub(super) async fn fill(stream: &mut (impl AsyncRead + Unpin), unread: &mut Vec<u8>) -> Option<()> {
    unread.reserve(16 * 1024);
    match stream.read_buf(unread).await {
        Ok(0) | Err(_) => None,
        Ok(_) => Some(()),
    }
}

/// Reads up to the empty line; what follows stays unread.
pub(super) async fn read_head(stream: &mut (impl AsyncRead + Unpin), unread: &mut Vec<u8>) -> Option<String> {
    let end = loop {
        if let Some(end) = unread.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        fill(stream, unread).await?;
    };
    let head: Vec<u8> = unread.drain(..end).collect();
    Some(String::from_utf8_lossy(&head).into_owned())
}
