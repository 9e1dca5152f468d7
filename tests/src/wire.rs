//! A connection on which bytes go out as they are, one request after another.

use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::http::{self, Reply};

/// A connection to a server under test.
#[derive(Debug)]
pub struct Wire {
    reader: BufReader<TcpStream>,
}

impl Wire {
    /// Opens one.
    #[track_caller]
    #[must_use]
    pub fn to(address: SocketAddr) -> Self {
        Self { reader: BufReader::new(http::connect(address).unwrap()) }
    }

    /// Sends bytes. A server may have closed already: what it said still counts.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        drop(self.reader.get_mut().write_all(bytes.as_ref()));
        self
    }

    /// Reads the answer to a request of this method.
    ///
    /// # Errors
    /// What the connection says.
    pub fn try_reply(&mut self, method: &str) -> io::Result<Reply> {
        http::read_reply(&mut self.reader, method)
    }

    /// Reads the answer to a request.
    #[track_caller]
    #[must_use]
    pub fn reply(&mut self) -> Reply {
        self.try_reply("").unwrap_or_else(|error| panic!("no answer: {error}"))
    }

    /// Waits for the server to close; `false` when it says something more instead.
    pub fn is_closed(&mut self) -> bool {
        self.reader.fill_buf().is_ok_and(<[u8]>::is_empty)
            || self.reader.fill_buf().is_err_and(|error| error.kind() == io::ErrorKind::ConnectionReset)
    }

    /// Whether nothing comes, not even the end, for so long.
    pub fn is_silent(&mut self, period: Duration) -> bool {
        self.reader.get_ref().set_read_timeout(Some(period)).unwrap();
        let read = self.reader.fill_buf().map(<[u8]>::len);
        read.is_err_and(|error| matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut))
    }

    /// Reads exactly what is expected, as behind an upgrade.
    #[track_caller]
    pub fn expect(&mut self, expected: &[u8]) {
        let mut came = vec![0; expected.len()];
        self.reader.read_exact(&mut came).unwrap();
        assert_eq!(String::from_utf8_lossy(&came), String::from_utf8_lossy(expected));
    }
}
