//! The certificates of the TLS listeners: which one a client is shown, and their change while they are used.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use config::{Certificate, Tls};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use x509_parser::extensions::GeneralName;
use x509_parser::parse_x509_certificate;

use crate::metrics::Metrics;
use crate::serve::Error;

/// The certificates that are shown now.
#[derive(Debug)]
pub(crate) struct Certificates(ArcSwap<Table>);

/// Certificates by the names they are for.
#[derive(Debug)]
pub(crate) struct Table {
    first: Arc<CertifiedKey>,
    by_name: HashMap<Box<str>, Arc<CertifiedKey>>,
    /// By what stands behind `*.`, which is one label (RFC 9525 §6.3).
    by_parent: HashMap<Box<str>, Arc<CertifiedKey>>,
    /// Each file, and when its certificate ends, in seconds since 1970.
    ends: Vec<(String, i64)>,
}

impl Certificates {
    /// Reads them for the first time.
    pub(crate) fn open(tls: &Tls, metrics: &Metrics) -> Result<Self, Error> {
        let table = Table::read(tls)?;
        table.show(metrics);
        Ok(Self(ArcSwap::from_pointee(table)))
    }

    /// Uses others from the next handshake on.
    pub(crate) fn swap(&self, table: Table, metrics: &Metrics) {
        table.show(metrics);
        self.0.store(Arc::new(table));
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, client: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load().find(client.server_name()))
    }
}

impl Table {
    /// All of them, or none: a table with a hole would show some client the wrong certificate.
    pub(crate) fn read(tls: &Tls) -> Result<Self, Error> {
        let mut table: Option<Self> = None;
        for certificate in &tls.certificates {
            let failed = |cause: Box<dyn std::error::Error + Send + Sync>| Error::Certificate {
                certificate: certificate.chain.clone(),
                key: certificate.key.clone(),
                cause,
            };
            let certified = Arc::new(certified(certificate).map_err(failed)?);
            let table = table.get_or_insert_with(|| Self {
                first: Arc::clone(&certified),
                by_name: HashMap::new(),
                by_parent: HashMap::new(),
                ends: Vec::new(),
            });
            table.add(&certificate.chain, &certified).map_err(failed)?;
        }
        table.ok_or(Error::NoCertificate)
    }

    fn add(
        &mut self,
        path: &Path,
        certified: &Arc<CertifiedKey>,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let leaf = certified.cert.first().ok_or("there is no certificate in the file")?;
        let (_, parsed) = parse_x509_certificate(leaf)?;
        self.ends.push((path.display().to_string(), parsed.validity().not_after.timestamp()));
        let names = parsed.subject_alternative_name()?;
        for name in names.iter().flat_map(|names| &names.value.general_names) {
            if let GeneralName::DNSName(name) = name {
                let name = name.to_ascii_lowercase();
                let (table, name) = match name.strip_prefix("*.") {
                    Some(parent) => (&mut self.by_parent, parent),
                    None => (&mut self.by_name, name.as_str()),
                };
                // The first that is for a name keeps it.
                table.entry(name.into()).or_insert_with(|| Arc::clone(certified));
            }
        }
        Ok(())
    }

    fn find(&self, name: Option<&str>) -> Arc<CertifiedKey> {
        let exact = name.and_then(|name| self.by_name.get(name));
        let parent = || self.by_parent.get(name?.split_once('.')?.1);
        Arc::clone(exact.or_else(parent).unwrap_or(&self.first))
    }

    fn show(&self, metrics: &Metrics) {
        metrics.certificates_end(&self.ends);
    }
}

/// Reads certificate and key, and makes sure that they belong together.
fn certified(certificate: &Certificate) -> Result<CertifiedKey, Box<dyn std::error::Error + Send + Sync>> {
    let chain = CertificateDer::pem_file_iter(&certificate.chain)?.collect::<Result<Vec<_>, _>>()?;
    if chain.is_empty() {
        return Err("there is no certificate in the file".into());
    }
    let key = PrivateKeyDer::from_pem_file(&certificate.key)?;
    let provider = CryptoProvider::get_default().ok_or("no crypto provider")?;
    Ok(CertifiedKey::from_der(chain, key, provider)?)
}
