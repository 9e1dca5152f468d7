//! HTTP/1.1 as small as it can be, because half of what is sent here no HTTP library would send.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

use crate::records;

/// Nothing under test takes longer, unless it hangs.
const TIMEOUT: Duration = Duration::from_secs(30);

/// An answer.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// Names in lower case, in the order they came.
    pub headers: Vec<(String, String)>,
    /// The body, without its framing.
    pub body: Vec<u8>,
}

impl Reply {
    /// The value of the only header of this name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(found, _)| found == name).map(|(_, value)| value.as_str());
        let value = values.next();
        assert_eq!(values.next(), None, "{name} comes twice: {:?}", self.headers);
        value
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    #[track_caller]
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// `reason` of a problem document, or nothing.
    #[must_use]
    pub fn reason(&self) -> String {
        let body: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        body["reason"].as_str().unwrap_or_default().to_owned()
    }

    /// The code of a refusal in the issuer's envelope, or nothing.
    #[must_use]
    pub fn code(&self) -> String {
        let body: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        body["error"]["code"].as_str().unwrap_or_default().to_owned()
    }
}

/// A request that is being written.
#[derive(Clone, Debug)]
pub struct Request {
    address: SocketAddr,
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// `GET` of an `http://127.0.0.1:PORT/..` URL.
#[must_use]
pub fn get(url: &str) -> Request {
    request("GET", url)
}

/// `POST` of a JSON body.
#[must_use]
pub fn post(url: &str, body: &Value) -> Request {
    request("POST", url).header("Content-Type", "application/json").body(body.to_string())
}

/// Any method. `Host` is that of the URL, unless a header says otherwise.
#[must_use]
pub fn request(method: &str, url: &str) -> Request {
    let rest = url.strip_prefix("http://").unwrap_or_else(|| panic!("not plain http: {url}"));
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    Request {
        address: authority.parse().unwrap_or_else(|_| panic!("no address and port: {url}")),
        method: method.to_owned(),
        target: format!("/{path}"),
        headers: vec![("Host".to_owned(), authority.to_owned())],
        body: Vec::new(),
    }
}

impl Request {
    /// Adds a header line; one for `Host` takes the place of what is there.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<str>) -> Self {
        if name == "Host" {
            self.headers.clear();
        }
        records::header(name, value.as_ref());
        self.headers.push((name.to_owned(), value.as_ref().to_owned()));
        self
    }

    /// `Authorization: Bearer`.
    #[must_use]
    pub fn bearer(self, token: &str) -> Self {
        self.header("Authorization", format!("Bearer {token}"))
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// The bytes that will be sent.
    fn bytes(&self) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !self.body.is_empty() || self.method == "POST" {
            head.push_str(&format!("Content-Length: {}\r\n", self.body.len()));
        }
        head.push_str("Connection: close\r\n\r\n");
        [head.as_bytes(), &self.body].concat()
    }

    /// Sends it and reads the answer, as far as there is one.
    ///
    /// # Errors
    /// What the connection says.
    pub fn try_send(&self) -> io::Result<Reply> {
        let mut stream = connect(self.address)?;
        // A server may answer and close before it has read everything; what it said still counts.
        let sent = stream.write_all(&self.bytes());
        let reply = read_reply(&mut BufReader::new(stream), &self.method);
        if reply.is_err() { sent.and(reply) } else { reply }
    }

    /// Sends it and reads the answer.
    #[track_caller]
    #[must_use]
    pub fn send(&self) -> Reply {
        self.try_send().unwrap_or_else(|error| panic!("{} {}: {error}", self.method, self.target))
    }

    /// Sends it and reads the head of the answer; the body is left to the caller.
    #[track_caller]
    #[must_use]
    pub fn open(&self) -> (Reply, BufReader<TcpStream>) {
        let mut stream = connect(self.address).unwrap();
        stream.write_all(&self.bytes()).unwrap();
        let mut reader = BufReader::new(stream);
        let (status, headers) = read_head(&mut reader).unwrap();
        (Reply { status, headers, body: Vec::new() }, reader)
    }
}

/// Sends bytes as they are and reads an answer to them.
///
/// # Errors
/// What the connection says; a connection that is closed without an answer is [`io::ErrorKind::UnexpectedEof`].
pub fn raw(address: SocketAddr, bytes: &[u8]) -> io::Result<Reply> {
    let mut stream = connect(address)?;
    stream.write_all(bytes)?;
    read_reply(&mut BufReader::new(stream), "")
}

/// A connection that does not wait for ever.
///
/// # Errors
/// What the system says.
pub fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Reads one whole answer to a request of this method.
///
/// # Errors
/// What the connection says, or that it is no answer.
pub fn read_reply(reader: &mut impl BufRead, method: &str) -> io::Result<Reply> {
    let (status, headers) = read_head(reader)?;
    if (100..200).contains(&status) {
        return read_reply(reader, method);
    }
    let find = |name: &str| headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.clone());
    let mut body = Vec::new();
    if method == "HEAD" || status == 204 || status == 304 {
    } else if find("transfer-encoding").is_some() {
        while let Some(chunk) = read_chunk(reader)? {
            body.extend(chunk);
        }
    } else if let Some(length) = find("content-length") {
        body.resize(length.parse().map_err(|_| malformed("content-length"))?, 0);
        reader.read_exact(&mut body)?;
    } else {
        reader.read_to_end(&mut body)?;
    }
    Ok(Reply { status, headers, body })
}

/// Reads one chunk of a chunked body; `None` after the last.
///
/// # Errors
/// What the connection says, or that it is no chunk.
pub fn read_chunk(reader: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let length = usize::from_str_radix(read_line(reader)?.trim(), 16).map_err(|_| malformed("chunk"))?;
    let mut chunk = vec![0; length];
    reader.read_exact(&mut chunk)?;
    read_line(reader)?;
    Ok((length > 0).then_some(chunk))
}

/// Reads status line and headers.
fn read_head(reader: &mut impl BufRead) -> io::Result<(u16, Vec<(String, String)>)> {
    let line = read_line(reader)?;
    let status = line.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(|| malformed(&line))?;
    Ok((status, read_headers(reader)?))
}

/// Reads header lines up to the empty one.
pub(crate) fn read_headers(reader: &mut impl BufRead) -> io::Result<Vec<(String, String)>> {
    let mut headers = Vec::new();
    loop {
        let line = read_line(reader)?;
        if line.is_empty() {
            return Ok(headers);
        }
        let (name, value) = line.split_once(':').ok_or_else(|| malformed(&line))?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
}

/// Reads a line without its end; an end of input before any byte is an error.
pub(crate) fn read_line(reader: &mut impl BufRead) -> io::Result<String> {
    let mut line = Vec::new();
    if reader.read_until(b'\n', &mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let line = String::from_utf8_lossy(&line);
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("not HTTP: {what}"))
}
