//! HTTP/2 over TLS: a client that keeps to the rules, and frames as raw as a hostile one writes them (RFC 9113).

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::client::SendRequest;
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};
use tokio::runtime::Runtime;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::Certificate;
use crate::http::{self, Reply};

/// Nothing under test takes longer, unless it hangs.
const TIMEOUT: Duration = Duration::from_secs(30);

/// One connection that keeps to the rules.
#[derive(Debug)]
pub struct Http2 {
    send: SendRequest<Bytes>,
    runtime: Runtime,
}

impl Http2 {
    /// Connects by this name in the handshake.
    #[track_caller]
    #[must_use]
    pub fn to(address: SocketAddr, name: &str, certificate: &Certificate) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let connector = TlsConnector::from(certificate.client());
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let send = runtime.block_on(async {
            let stream = tokio::net::TcpStream::connect(address).await.unwrap();
            let stream = connector.connect(name, stream).await.unwrap();
            let (send, connection) = h2::client::handshake(stream).await.unwrap();
            tokio::spawn(async move { drop(connection.await) });
            send
        });
        Self { send, runtime }
    }

    /// Asks, and reads the answer.
    #[track_caller]
    #[must_use]
    pub fn send(&self, request: ::http::Request<()>, trailers: Option<::http::HeaderMap>) -> Reply {
        self.ask(request, trailers.map_or(Rest::Nothing, Rest::Trailers))
    }

    /// `POST` of a body with these headers.
    #[track_caller]
    #[must_use]
    pub fn post(&self, url: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Reply {
        let mut request = ::http::Request::post(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.ask(request.body(()).unwrap(), Rest::Body(body.into()))
    }

    #[track_caller]
    fn ask(&self, request: ::http::Request<()>, rest: Rest) -> Reply {
        let asked = ask(self.send.clone(), request, rest);
        let answered = self.runtime.block_on(async { timeout(TIMEOUT, asked).await });
        answered.expect("an answer in time").unwrap()
    }

    /// `GET` of a URL with these headers.
    #[track_caller]
    #[must_use]
    pub fn get(&self, url: &str, headers: &[(&str, &str)]) -> Reply {
        let mut request = ::http::Request::get(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(()).unwrap(), None)
    }
}

/// What comes behind the headers.
enum Rest {
    Nothing,
    /// A small body first.
    Trailers(::http::HeaderMap),
    Body(Bytes),
}

async fn ask(send: SendRequest<Bytes>, request: ::http::Request<()>, rest: Rest) -> Result<Reply, h2::Error> {
    let (answer, mut stream) = send.ready().await?.send_request(request, matches!(rest, Rest::Nothing))?;
    match rest {
        Rest::Nothing => {}
        Rest::Trailers(trailers) => {
            stream.send_data(Bytes::from_static(b"hello"), false)?;
            stream.send_trailers(trailers)?;
        }
        // Who refuses a body may end the stream before it is whole.
        Rest::Body(body) => drop(stream.send_data(body, true)),
    }
    let (head, mut body) = answer.await?.into_parts();
    let headers = head.headers.iter();
    let headers = headers.map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into()));
    let mut reply = Reply { status: head.status.as_u16(), headers: headers.collect(), body: Vec::new() };
    while let Some(piece) = body.data().await {
        let piece = piece?;
        body.flow_control().release_capacity(piece.len())?;
        reply.body.extend_from_slice(&piece);
    }
    Ok(reply)
}

/// One connection on which frames go out as they are.
#[derive(Debug)]
pub struct Frames {
    stream: StreamOwned<ClientConnection, TcpStream>,
}

/// Types of frames (RFC 9113 §6).
impl Frames {
    /// `DATA`.
    pub const DATA: u8 = 0;
    /// `HEADERS`.
    pub const HEADERS: u8 = 1;
    /// `RST_STREAM`.
    pub const RST_STREAM: u8 = 3;
    /// `SETTINGS`.
    pub const SETTINGS: u8 = 4;
    /// `PING`.
    pub const PING: u8 = 6;
    /// `GOAWAY`.
    pub const GOAWAY: u8 = 7;
    /// `WINDOW_UPDATE`.
    pub const WINDOW_UPDATE: u8 = 8;
    /// `CONTINUATION`.
    pub const CONTINUATION: u8 = 9;

    /// The flag by which a stream ends.
    pub const END_STREAM: u8 = 1;
    /// The flag by which headers end.
    pub const END_HEADERS: u8 = 4;

    /// Connects, and sends the preface and empty settings.
    #[track_caller]
    #[must_use]
    pub fn to(address: SocketAddr, name: &str, certificate: &Certificate) -> Self {
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let connection = ClientConnection::new(certificate.client(), name).unwrap();
        let mut frames = Self { stream: StreamOwned::new(connection, http::connect(address).unwrap()) };
        frames.stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
        frames.send(Self::SETTINGS, 0, 0, &[]).unwrap();
        frames
    }

    /// Sends one frame.
    ///
    /// # Errors
    /// What the connection says: that the server has had enough, mostly.
    pub fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> io::Result<()> {
        self.stream.write_all(&frame(kind, flags, stream, payload))
    }

    /// Sends many frames at once.
    ///
    /// # Errors
    /// What the connection says.
    pub fn send_all(&mut self, frames: &[u8]) -> io::Result<()> {
        self.stream.write_all(frames)
    }

    /// The next frame: type, flags, stream and payload. An end of the connection is an error.
    ///
    /// # Errors
    /// What the connection says.
    pub fn read(&mut self) -> io::Result<(u8, u8, u32, Vec<u8>)> {
        let mut head = [0; 9];
        self.stream.read_exact(&mut head)?;
        let [one, two, three, kind, flags, stream @ ..] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, one, two, three]).try_into().unwrap()];
        self.stream.read_exact(&mut payload)?;
        Ok((kind, flags, u32::from_be_bytes(stream), payload))
    }

    /// Bounds every read and write that follows.
    pub fn wait_at_most(&self, period: Duration) {
        self.stream.sock.set_read_timeout(Some(period)).unwrap();
        self.stream.sock.set_write_timeout(Some(period)).unwrap();
    }

    /// Reads until the server says `GOAWAY` or closes, for so long at most.
    pub fn end(&mut self, period: Duration) -> End {
        self.wait_at_most(period);
        let until = Instant::now() + period;
        while Instant::now() < until {
            match self.read() {
                Ok((Self::GOAWAY, _, _, payload)) => {
                    let code = payload.get(4..8).and_then(|code| code.try_into().ok()).map(u32::from_be_bytes);
                    return End::GoAway(code.unwrap_or_default());
                }
                Ok(_) => {}
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => break,
                Err(_) => return End::Closed,
            }
        }
        End::None
    }
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With a code (RFC 9113 §7).
    GoAway(u32),
    /// Without a word.
    Closed,
    /// Not at all.
    None,
}

/// A frame as it is written.
#[must_use]
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let [_, length @ ..] = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// Fields as a header block, each literal and never indexed (RFC 7541 §6.2.2).
#[must_use]
pub fn header_block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        literal(name.as_bytes(), &mut block);
        literal(value.as_bytes(), &mut block);
    }
    block
}

/// A string, not Huffman-coded (RFC 7541 §5.2).
fn literal(text: &[u8], block: &mut Vec<u8>) {
    // A length that does not fit into seven bits goes on in pieces of seven.
    if text.len() < 127 {
        block.push(text.len().to_le_bytes()[0]);
    } else {
        block.push(127);
        let mut rest = text.len() - 127;
        while rest >= 128 {
            block.push((rest % 128).to_le_bytes()[0] | 128);
            rest /= 128;
        }
        block.push(rest.to_le_bytes()[0]);
    }
    block.extend_from_slice(text);
}
