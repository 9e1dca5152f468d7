//! A host of client documents, over TLS on loopback.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::OwnedMutexGuard;
use tokio_rustls::TlsAcceptor;

/// Answers every request with the same bytes, and then closes.
pub(super) struct Server {
    pub(super) port: u16,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    text: Mutex<String>,
    asked: Mutex<String>,
    connections: AtomicUsize,
    requests: AtomicUsize,
    gate: Arc<tokio::sync::Mutex<()>>,
}

/// Self-signed for `localhost` and `127.0.0.1`, for these tests only.
pub(super) fn certificate() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/modules/oauth/client_metadata/tests/clients.crt")
}

/// As `main` does it; another test may have been first.
pub(super) fn install_provider() {
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
}

impl Server {
    pub(super) async fn start() -> Self {
        install_provider();
        let chain = vec![CertificateDer::from_pem_file(certificate()).unwrap()];
        let key = PrivateKeyDer::from_pem_file(certificate().with_extension("key")).unwrap();
        let config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (port, state) = (listener.local_addr().unwrap().port(), Arc::new(State::default()));
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                shared.connections.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(serve(acceptor.clone(), stream, Arc::clone(&shared)));
            }
        });
        Self { port, state }
    }

    /// What is answered from now on.
    pub(super) fn says(&self, text: String) {
        *self.state.text.lock().unwrap() = text;
    }

    /// Nothing is answered while the guard is held.
    pub(super) async fn hold(&self) -> OwnedMutexGuard<()> {
        Arc::clone(&self.state.gate).lock_owned().await
    }

    /// The head of the last request.
    pub(super) fn asked(&self) -> String {
        self.state.asked.lock().unwrap().clone()
    }

    pub(super) fn connections(&self) -> usize {
        self.state.connections.load(Ordering::SeqCst)
    }

    pub(super) fn requests(&self) -> usize {
        self.state.requests.load(Ordering::SeqCst)
    }
}

async fn serve(acceptor: TlsAcceptor, stream: TcpStream, state: Arc<State>) {
    // A client that does not believe in the certificate leaves here.
    let Ok(mut stream) = acceptor.accept(stream).await else { return };
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    state.requests.fetch_add(1, Ordering::SeqCst);
    *state.asked.lock().unwrap() = String::from_utf8(head).unwrap();
    drop(state.gate.lock().await);
    let text = state.text.lock().unwrap().clone();
    // A client that has read enough leaves before the end.
    let written = stream.write_all(text.as_bytes()).await;
    if written.is_ok() {
        stream.shutdown().await.unwrap_or_default();
    }
}
