//! A gateway under test.

use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use config::{Mode, Place, SecretSource, Server, Site, TrustedIssuer};
use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::client::{Answer, Client};
use crate::mcp::HeldMemory;
use crate::{Error, Gateway, Listeners};

/// No step of a test takes longer, or it hangs.
pub(super) const PATIENCE: Duration = Duration::from_secs(12);

pub(super) struct Rig {
    pub(super) address: SocketAddr,
    pub(super) tls: Option<SocketAddr>,
    pub(super) ops: SocketAddr,
    /// Where other proxies ask.
    pub(super) auth: SocketAddr,
    /// What there is for messages that are held.
    pub(super) held_memory: HeldMemory,
    log: Arc<Mutex<Vec<u8>>>,
    stop: Option<oneshot::Sender<()>>,
    served: JoinHandle<Result<(), Error>>,
}

#[derive(Clone)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// `shop.example` in front of `origin`, everything else as it is by default.
pub(super) fn shop(origin: SocketAddr) -> Site {
    site("https://shop.example", origin)
}

pub(super) fn site(url: &str, origin: SocketAddr) -> Site {
    let place = Place { file: Path::new("lime.toml").into(), line: 4 };
    Site::new(url.parse().unwrap(), format!("http://{origin}").parse().unwrap(), place)
}

/// `shop.example` as it asks for passports of `issuer` below `/agents/`.
pub(super) fn guarded(origin: SocketAddr, issuer: SocketAddr) -> Site {
    Site { mode: Mode::Enforce, issuers: vec![trusted(issuer)], ..shop(origin) }
        .protecting(["/agents/*".parse().unwrap()])
}

/// An issuer of ours, as a site trusts it.
pub(super) fn trusted(issuer: SocketAddr) -> Arc<TrustedIssuer> {
    let place = Place { file: Path::new("lime.toml").into(), line: 7 };
    Arc::new(TrustedIssuer::lime(format!("http://{issuer}").parse().unwrap(), place))
}

/// A credential for [`guarded`] in a file of `folder`.
pub(super) fn credential(folder: &Path, token: &str) -> Option<SecretSource> {
    let file = folder.join(format!("{token}.token"));
    std::fs::write(&file, token).unwrap();
    Some(SecretSource::File(file))
}

impl Rig {
    pub(super) async fn start(folder: &Path, sites: Vec<Site>) -> Self {
        Self::start_with(folder, sites, |_| {}).await
    }

    pub(super) async fn start_with(folder: &Path, sites: Vec<Site>, change: impl FnOnce(&mut Server)) -> Self {
        let mut server = Server::new(folder.join("state"));
        server.grace_period = Duration::from_secs(2);
        change(&mut server);
        let bind = || TcpListener::bind("127.0.0.1:0").unwrap();
        let (plain, ops, auth) = (bind(), bind(), bind());
        let tls: Vec<TcpListener> = server.tls.iter().map(|_| bind()).collect();
        let log = Arc::new(Mutex::default());
        let gateway = Gateway::prepare_with_log(config::Gateway::new(server, sites), Sink(Arc::clone(&log))).unwrap();
        let held_memory = gateway.gate().shared().held_memory.clone();
        let (stop, stopped) = oneshot::channel();
        let (address, ops_address) = (plain.local_addr().unwrap(), ops.local_addr().unwrap());
        let auth_address = auth.local_addr().unwrap();
        let tls_address = tls.first().map(|listener| listener.local_addr().unwrap());
        let listeners = Listeners { plain: vec![plain], tls, ops, auth: Some(auth) };
        let served = tokio::spawn(gateway.serve(listeners, async move { stopped.await.unwrap_or_default() }));
        let (tls, ops, auth, stop) = (tls_address, ops_address, auth_address, Some(stop));
        let rig = Self { address, tls, ops, auth, held_memory, log, stop, served };
        // Taken only once the gateway accepts.
        assert_eq!(rig.ops("GET", "/livez", "localhost").await.status, 200);
        rig
    }

    pub(super) async fn client(&self) -> Client {
        Client::connect(self.address).await
    }

    /// One request on a connection of its own.
    pub(super) async fn get(&self, path: &str, fields: &[&str]) -> Answer {
        self.send("GET", path, fields).await
    }

    pub(super) async fn send(&self, method: &str, path: &str, fields: &[&str]) -> Answer {
        let mut client = self.client().await;
        client.request(method, path, fields).await;
        client.answer_to(method).await
    }

    pub(super) async fn ops(&self, method: &str, path: &str, host: &str) -> Answer {
        let mut client = Client::connect(self.ops).await;
        client.write(format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes()).await;
        client.answer_to(method).await
    }

    /// Stops, and says how long that took.
    pub(super) async fn stop(&mut self) -> Duration {
        let started = std::time::Instant::now();
        drop(self.stop.take());
        timeout(PATIENCE, &mut self.served).await.expect("stops in time").unwrap().unwrap();
        started.elapsed()
    }

    /// The access lines, once there are so many.
    pub(super) async fn lines(&self, count: usize) -> Vec<serde_json::Value> {
        self.lines_of("request", count).await
    }

    /// The lines of one kind, once there are so many.
    pub(super) async fn lines_of(&self, kind: &str, count: usize) -> Vec<serde_json::Value> {
        let enough = timeout(PATIENCE, async {
            loop {
                let text = String::from_utf8(self.log.lock().clone()).unwrap();
                let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
                let mut lines: Vec<serde_json::Value> = whole.map(|line| serde_json::from_str(line).unwrap()).collect();
                lines.retain(|line| line["msg"] == kind);
                if lines.len() >= count {
                    return lines;
                }
                sleep(Duration::from_millis(5)).await;
            }
        });
        enough.await.expect("lines in time")
    }

    pub(super) fn log_text(&self) -> String {
        String::from_utf8(self.log.lock().clone()).unwrap()
    }
}

/// Waits until something holds.
pub(super) async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let held = timeout(PATIENCE, async {
        while !holds().await {
            sleep(Duration::from_millis(10)).await;
        }
    });
    held.await.unwrap_or_else(|_| panic!("in vain: {what}"));
}
