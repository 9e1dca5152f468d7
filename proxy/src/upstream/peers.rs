//! How the addresses of a target are spoken to.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use config::{Origin, OriginProtocol, Scheme, Verify};
use pingora::protocols::tls::CaType;
use pingora::upstreams::peer::HttpPeer;
use pingora::utils::tls::{WrappedX509, parse_x509};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use x509_parser::parse_x509_certificate;

use super::OriginError;

/// A piece of a request that is not taken for so long.
const WRITE_TIMEOUT: Duration = Duration::from_secs(60);

/// Unused connections are kept for so long; what the site closes earlier is noticed at once.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// How the addresses of a target are spoken to.
pub(super) struct Peers {
    is_tls: bool,
    server_name: String,
    ca: Option<Arc<CaType>>,
    connect_timeout: Duration,
    read_timeout: Duration,
    verify: Verify,
    protocol: OriginProtocol,
    /// Connections are shared only among those for which all of this is the same.
    group: u64,
}

impl Peers {
    pub(super) fn new(origin: &Origin, target: &config::Upstream) -> Result<Self, OriginError> {
        let is_tls = target.scheme() == Scheme::Https;
        let host = target.host().trim_matches(['[', ']']);
        let server_name = origin.tls.server_name.as_deref().unwrap_or(host);
        let ca = origin.tls.ca.as_deref().map(authorities).transpose()?;
        let mut hasher = DefaultHasher::new();
        // Pingora's own key of a connection has neither the authorities nor the protocol in it.
        format!("{:?} {:?}", origin.tls, origin.protocol).hash(&mut hasher);
        ca.iter().flat_map(|ca| ca.iter()).for_each(|certificate| certificate.borrow_raw_cert().hash(&mut hasher));
        Ok(Self {
            is_tls,
            server_name: if is_tls { server_name.to_owned() } else { String::new() },
            ca,
            connect_timeout: origin.connect_timeout,
            read_timeout: origin.read_timeout,
            verify: origin.tls.verify,
            protocol: origin.protocol,
            group: hasher.finish(),
        })
    }

    pub(super) fn at(&self, address: SocketAddr) -> HttpPeer {
        let mut peer = HttpPeer::new(address, self.is_tls, self.server_name.clone());
        peer.group_key = self.group;
        let options = &mut peer.options;
        options.connection_timeout = Some(self.connect_timeout);
        // A handshake takes a few more round trips.
        options.total_connection_timeout = Some(self.connect_timeout * 2);
        options.read_timeout = Some(self.read_timeout);
        options.write_timeout = Some(WRITE_TIMEOUT);
        options.idle_timeout = Some(IDLE_TIMEOUT);
        options.ca.clone_from(&self.ca);
        if self.verify == Verify::No {
            options.verify_cert = false;
            options.verify_hostname = false;
        }
        if self.protocol == OriginProtocol::Http2 {
            options.set_http_version(2, 2);
        }
        peer
    }
}

impl std::fmt::Debug for Peers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Peers").field("server_name", &self.server_name).finish_non_exhaustive()
    }
}

/// The certificates of a file. Each is looked at here: Pingora takes a broken one for a fault of its own, and panics.
fn authorities(path: &Path) -> Result<Arc<CaType>, OriginError> {
    let failed = |cause: Box<dyn std::error::Error + Send + Sync>| OriginError::Authorities(path.to_owned(), cause);
    let read = CertificateDer::pem_file_iter(path).map_err(|cause| failed(cause.into()))?;
    let mut found = Vec::new();
    for certificate in read {
        let certificate = certificate.map_err(|cause| failed(cause.into()))?;
        parse_x509_certificate(&certificate).map_err(|cause| failed(cause.into()))?;
        found.push(WrappedX509::new(certificate.to_vec(), parse_x509));
    }
    if found.is_empty() { Err(failed("there is no certificate in the file".into())) } else { Ok(found.into()) }
}
