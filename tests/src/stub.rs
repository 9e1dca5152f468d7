//! A server that says what a test tells it to, and remembers what it was asked: an origin, an issuer in trouble, a
//! hostile site.

use std::io::{BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::http;

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Received {
    /// The method.
    pub method: String,
    /// Path and query, as they came.
    pub target: String,
    /// Names in lower case, in the order they came.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Received {
    /// Every value of a header.
    #[must_use]
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(found, _)| found == name).map(|(_, value)| value.as_str()).collect()
    }

    /// The value of a header that comes once or not at all.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let values = self.all(name);
        assert!(values.len() <= 1, "{name} comes {} times", values.len());
        values.first().copied()
    }
}

/// What to do about a request.
#[derive(Clone, Debug)]
pub enum Answer {
    /// Status, headers, body.
    Reply(u16, Vec<(String, String)>, Vec<u8>),
    /// These bytes, and then an open connection.
    Raw(Vec<u8>),
    /// Nothing, for as long as the client waits.
    Hang,
}

impl Answer {
    /// A JSON document.
    #[must_use]
    pub fn json(status: u16, body: &Value) -> Self {
        Self::Reply(status, vec![("Content-Type".into(), "application/json".into())], body.to_string().into())
    }

    /// A problem document.
    #[must_use]
    pub fn problem(status: u16, body: &Value) -> Self {
        Self::Reply(status, vec![("Content-Type".into(), "application/problem+json".into())], body.to_string().into())
    }

    /// Plain text.
    #[must_use]
    pub fn text(status: u16, body: &str) -> Self {
        Self::Reply(status, vec![("Content-Type".into(), "text/plain".into())], body.into())
    }

    /// A redirect.
    #[must_use]
    pub fn redirect(to: &str) -> Self {
        Self::Reply(302, vec![("Location".into(), to.into())], Vec::new())
    }

    /// With another header.
    #[must_use]
    pub fn with(self, name: &str, value: &str) -> Self {
        match self {
            Self::Reply(status, mut headers, body) => {
                headers.push((name.into(), value.into()));
                Self::Reply(status, headers, body)
            }
            Self::Raw(_) | Self::Hang => self,
        }
    }
}

/// The server. It is gone with the process, not before: nothing waits for it.
#[derive(Debug)]
pub struct Stub {
    /// Where it listens.
    pub url: String,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Stub {
    /// Starts one on a free port.
    #[must_use]
    pub fn start(answer: impl Fn(&Received) -> Answer + Send + Sync + 'static) -> Self {
        Self::listen(TcpListener::bind("127.0.0.1:0").unwrap(), answer)
    }

    /// Starts one on a listener that was bound before: its own address may be part of what it answers.
    #[must_use]
    pub fn listen(listener: TcpListener, answer: impl Fn(&Received) -> Answer + Send + Sync + 'static) -> Self {
        let address: SocketAddr = listener.local_addr().unwrap();
        let received: Arc<Mutex<Vec<Received>>> = Arc::default();
        let (seen, answer) = (Arc::clone(&received), Arc::new(answer));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (seen, answer) = (Arc::clone(&seen), Arc::clone(&answer));
                // A client that breaks off is no concern of the server's.
                thread::spawn(move || drop(serve(&stream, &seen, &*answer)));
            }
        });
        Self { url: format!("http://{address}"), received }
    }

    /// An origin that answers everything with `text`.
    #[must_use]
    pub fn saying(text: &'static str) -> Self {
        Self::start(move |_| Answer::text(200, text))
    }

    /// What it was asked so far.
    #[must_use]
    pub fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    /// The last thing it was asked.
    #[track_caller]
    #[must_use]
    pub fn last(&self) -> Received {
        self.received().pop().expect("a request")
    }

    /// How often it was asked for this path.
    #[must_use]
    pub fn count(&self, path: &str) -> usize {
        self.received.lock().unwrap().iter().filter(|received| received.target.split('?').next() == Some(path)).count()
    }
}

fn serve(
    stream: &TcpStream,
    seen: &Mutex<Vec<Received>>,
    answer: &(dyn Fn(&Received) -> Answer + Send + Sync),
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let line = http::read_line(&mut reader)?;
        let mut words = line.split(' ').map(str::to_owned);
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let headers = http::read_headers(&mut reader)?;
        let value = |name: &str| headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.clone());
        let mut body = Vec::new();
        if value("transfer-encoding").is_some() {
            while let Some(chunk) = http::read_chunk(&mut reader)? {
                body.extend(chunk);
            }
        } else if let Some(length) = value("content-length") {
            body.resize(length.parse().unwrap_or_default(), 0);
            reader.read_exact(&mut body)?;
        }
        let received = Received { method, target, headers, body };
        seen.lock().unwrap().push(received.clone());
        let is_head = received.method == "HEAD";
        let mut writer = stream;
        match answer(&received) {
            Answer::Reply(status, headers, body) => {
                let mut head = format!("HTTP/1.1 {status} Said\r\nContent-Length: {}\r\n", body.len());
                headers.iter().for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
                let body = if is_head { &[][..] } else { &body };
                writer.write_all(&[head.as_bytes(), b"\r\n", body].concat())?;
            }
            Answer::Raw(bytes) => {
                writer.write_all(&bytes)?;
                return until_closed(reader);
            }
            Answer::Hang => return until_closed(reader),
        }
    }
}

/// Reads until the client is gone.
fn until_closed(mut reader: BufReader<&TcpStream>) -> std::io::Result<()> {
    reader.get_ref().set_read_timeout(Some(Duration::from_secs(300)))?;
    std::io::copy(&mut reader, &mut std::io::sink()).map(drop)
}
