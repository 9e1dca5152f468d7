//! A reader of event streams that knows only what the site SDK knows: each `data:` line is one JSON object.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, ErrorKind, Read};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::http::{self, Request};

/// An open stream.
#[derive(Debug)]
pub struct Stream {
    reader: BufReader<Body>,
    passports: HashMap<String, String>,
}

#[derive(Debug)]
struct Body {
    reader: BufReader<TcpStream>,
    is_chunked: bool,
    /// What is left of the current chunk.
    chunk: Vec<u8>,
}

impl Stream {
    /// Opens one; fails unless it is accepted.
    #[track_caller]
    #[must_use]
    pub fn open(request: &Request) -> Self {
        let (head, reader) = request.clone().header("Accept", "text/event-stream").open();
        assert_eq!(head.status, 200, "{head:?}");
        assert_eq!(head.header("content-type"), Some("text/event-stream"));
        let is_chunked = head.header("transfer-encoding").is_some();
        let reader = BufReader::new(Body { reader, is_chunked, chunk: Vec::new() });
        Self { reader, passports: HashMap::new() }
    }

    /// The next event that is `wanted`; `None` when the stream ends, or when `limit` has passed.
    pub fn next(&mut self, limit: Duration, wanted: impl Fn(&Value) -> bool) -> Option<Value> {
        let deadline = Instant::now() + limit;
        loop {
            let left = deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())?;
            self.reader.get_ref().reader.get_ref().set_read_timeout(Some(left)).unwrap();
            let mut line = String::new();
            // A time-out in the middle of a line loses the line; whoever waits so long has failed.
            if self.reader.read_line(&mut line).is_ok_and(|read| read > 0) {
                let Some(data) = line.strip_prefix("data:") else { continue };
                let event: Value = serde_json::from_str(data.trim()).unwrap_or_else(|error| panic!("{error}: {line}"));
                if wanted(&event) {
                    return Some(event);
                }
            } else {
                return None;
            }
        }
    }

    /// Whether it is still open after `period` without an event.
    pub fn is_open(&mut self, period: Duration) -> bool {
        let reader = &mut self.reader;
        reader.get_ref().reader.get_ref().set_read_timeout(Some(period)).unwrap();
        match reader.fill_buf() {
            Ok(bytes) => !bytes.is_empty(),
            Err(error) => matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
        }
    }

    /// The passport of the login `id`. It may have come before one that was asked for earlier.
    #[track_caller]
    pub fn passport(&mut self, id: &str) -> String {
        while !self.passports.contains_key(id) {
            let event = self.next(Duration::from_secs(30), |event| event["type"] == "approved");
            let event = event.unwrap_or_else(|| panic!("no event for {id}"));
            let text = |name: &str| event[name].as_str().unwrap().to_owned();
            self.passports.insert(text("login_request_id"), text("agent_passport_jwt"));
        }
        self.passports[id].clone()
    }
}

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if !self.is_chunked {
            return self.reader.read(buffer);
        }
        if self.chunk.is_empty() {
            let Some(chunk) = http::read_chunk(&mut self.reader)? else { return Ok(0) };
            self.chunk = chunk;
        }
        let count = self.chunk.len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.chunk[..count]);
        self.chunk.drain(..count);
        Ok(count)
    }
}
