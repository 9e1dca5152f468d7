//! A TLS server that says what a test tells it to, byte for byte: a host of client documents, good or hostile.

use std::io::{self, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::{Certificate, http};

/// The server. It is gone with the process, not before: nothing waits for it.
#[derive(Debug)]
pub struct TlsStub {
    /// Its port.
    pub port: u16,
    asked: Arc<Mutex<Vec<String>>>,
}

impl TlsStub {
    /// Starts one on a free port of 127.0.0.1. `answer` writes what it likes to the connection, given the target.
    #[must_use]
    pub fn start(
        certificate: &Certificate,
        answer: impl Fn(&str, &mut dyn io::Write) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let chain = vec![CertificateDer::from_pem_file(&certificate.chain).unwrap()];
        let key = PrivateKeyDer::from_pem_file(&certificate.key).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let versions = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = Arc::new(versions.with_no_client_auth().with_single_cert(chain, key).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let (seen, answer) = (Arc::clone(&asked), Arc::new(answer));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (config, seen, answer) = (Arc::clone(&config), Arc::clone(&seen), Arc::clone(&answer));
                // A client that breaks off is no concern of the server's.
                thread::spawn(move || drop(serve(config, stream, &seen, &*answer)));
            }
        });
        Self { port, asked }
    }

    /// The targets it was asked for so far.
    #[must_use]
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn serve(
    config: Arc<ServerConfig>,
    stream: TcpStream,
    seen: &Mutex<Vec<String>>,
    answer: &dyn Fn(&str, &mut dyn io::Write) -> io::Result<()>,
) -> io::Result<()> {
    let connection = ServerConnection::new(config).map_err(io::Error::other)?;
    let mut reader = BufReader::new(StreamOwned::new(connection, stream));
    let line = http::read_line(&mut reader)?;
    http::read_headers(&mut reader)?;
    let target = line.split(' ').nth(1).unwrap_or_default().to_owned();
    seen.lock().unwrap().push(target.clone());
    let mut stream = reader.into_inner();
    answer(&target, &mut stream)?;
    stream.conn.send_close_notify();
    stream.flush()?;
    // Closed at once, what was not read yet would take what was written along.
    stream.sock.shutdown(std::net::Shutdown::Write)?;
    io::copy(&mut stream.sock.take(1024), &mut io::sink()).map(drop)
}
