//! A site that knows nothing of agents and shows what it was sent.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::time::sleep;

use super::client::{fill, read_head};

#[derive(Clone)]
pub(super) struct Origin {
    pub(super) address: SocketAddr,
    requests: Arc<AtomicUsize>,
    /// Connections that were closed by the gateway.
    closed: Arc<AtomicUsize>,
    /// What came after the head of a request that was answered before it.
    after: Arc<Mutex<Vec<u8>>>,
    /// The head of the request that came last.
    pub(super) head: Arc<Mutex<String>>,
    /// How the tool `search` is described.
    pub(super) description: Arc<Mutex<String>>,
    /// Lets a stream go on.
    pub(super) go_on: Arc<Notify>,
}

impl Origin {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = Self {
            address: listener.local_addr().unwrap(),
            requests: Arc::default(),
            closed: Arc::default(),
            after: Arc::default(),
            head: Arc::default(),
            description: Arc::default(),
            go_on: Arc::default(),
        };
        let this = origin.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let this = this.clone();
                tokio::spawn(async move {
                    this.serve(stream).await;
                    this.closed.fetch_add(1, Ordering::SeqCst);
                });
            }
        });
        origin
    }

    pub(super) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    pub(super) fn closed(&self) -> usize {
        self.closed.load(Ordering::SeqCst)
    }

    pub(super) fn after(&self) -> String {
        String::from_utf8_lossy(&self.after.lock()).into_owned()
    }

    async fn serve(&self, mut stream: TcpStream) -> Option<()> {
        let mut unread = Vec::new();
        loop {
            let head = read_head(&mut stream, &mut unread).await?;
            self.requests.fetch_add(1, Ordering::SeqCst);
            self.head.lock().clone_from(&head);
            let path = head.split(' ').nth(1)?.split('?').next()?.to_owned();
            match path.rsplit('/').next()? {
                "stream" => return self.stream(stream).await,
                "flood" => return flood(stream).await,
                "socket" => return socket(stream, unread).await,
                "slow" => sleep(Duration::from_millis(500)).await,
                "hangup" => return None,
                "early" => return self.answer_early(stream, unread).await,
                _ => {}
            }
            let body = read_body(&head, &mut stream, &mut unread).await?;
            if let Some(answer) = self.list(path.rsplit('/').next()?) {
                stream.write_all(answer.as_bytes()).await.ok()?;
                continue;
            }
            let text = format!("{head}{}", String::from_utf8_lossy(&body));
            let more = match path.rsplit('/').next()? {
                "cookies" => "Set-Cookie: __Host-lime=forged; Path=/\r\nSet-Cookie: theme=dark\r\n",
                "session" => "Mcp-Session-Id: s-1\r\n",
                "cached" => "Cache-Control: public, max-age=60\r\n",
                _ => "",
            };
            let answer = format!("HTTP/1.1 200 OK\r\n{more}Content-Length: {}\r\n\r\n{text}", text.len());
            stream.write_all(answer.as_bytes()).await.ok()?;
        }
    }

    /// A list of tools, in one of the forms in which it may come.
    fn list(&self, form: &str) -> Option<String> {
        let description = self.description.lock();
        let tools = format!(
            r#"[{{"name":"search","description":"{description}"}},{{"name":"internal_x"}},{{"name":"delete_x"}}]"#
        );
        let list = format!(r#"{{"jsonrpc":"2.0","id":7,"result":{{"tools":{tools},"nextCursor":"c"}}}}"#);
        let (media, body) = match form {
            "tools" => ("application/json", list),
            "twice" => ("application/json", list.replacen("\"id\":7", "\"id\":7,\"result\":{}", 1)),
            "packed" => ("application/json\r\nContent-Encoding: gzip", list),
            "events" => ("text/event-stream", format!(": ping\n\nid: 1\ndata: {list}\n\n")),
            _ => return None,
        };
        Some(format!("HTTP/1.1 200 OK\r\nContent-Type: {media}\r\nContent-Length: {}\r\n\r\n{body}", body.len()))
    }

    /// Does not wait for what it answers.
    async fn answer_early(&self, mut stream: TcpStream, mut unread: Vec<u8>) -> Option<()> {
        stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nearly").await.ok()?;
        loop {
            self.after.lock().append(&mut unread);
            fill(&mut stream, &mut unread).await?;
        }
    }

    /// One piece at once, the next ones as they are let go, until the reader is gone.
    async fn stream(&self, mut stream: TcpStream) -> Option<()> {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
        stream.write_all(head.as_bytes()).await.ok()?;
        let mut unread = Vec::new();
        loop {
            stream.write_all(b"6\r\npiece\n\r\n").await.ok()?;
            tokio::select! {
                () = self.go_on.notified() => {}
                gone = fill(&mut stream, &mut unread) => gone?,
            }
        }
    }
}

/// One event that never ends.
async fn flood(mut stream: TcpStream) -> Option<()> {
    let head =
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n6\r\ndata: \r\n";
    stream.write_all(head.as_bytes()).await.ok()?;
    let piece = format!("1000\r\n{}\r\n", "x".repeat(0x1000));
    loop {
        stream.write_all(piece.as_bytes()).await.ok()?;
    }
}

/// Takes a websocket upgrade and gives every byte back.
async fn socket(mut stream: TcpStream, mut unread: Vec<u8>) -> Option<()> {
    let head = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    stream.write_all(head.as_bytes()).await.ok()?;
    loop {
        stream.write_all(&std::mem::take(&mut unread)).await.ok()?;
        fill(&mut stream, &mut unread).await?;
    }
}

async fn read_body(head: &str, stream: &mut TcpStream, unread: &mut Vec<u8>) -> Option<Vec<u8>> {
    let field = |name: &str| {
        let lines = head.lines().filter_map(|line| line.split_once(':'));
        lines.filter(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim().to_owned()).next()
    };
    if field("transfer-encoding").is_some() {
        loop {
            if unread.ends_with(b"0\r\n\r\n") {
                return Some(std::mem::take(unread));
            }
            fill(stream, unread).await?;
        }
    }
    let length = field("content-length").map_or(0, |length| length.parse().unwrap());
    while unread.len() < length {
        fill(stream, unread).await?;
    }
    Some(unread.drain(..length).collect())
}
