//! A certificate that a test makes for itself, and whoever believes in it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

use crate::Output;
use crate::python::python;

/// Makes a self-signed certificate for the names in its arguments, behind the folder.
const MAKE: &str = "
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization as s
from cryptography.hazmat.primitives.asymmetric import ec
import datetime as d, sys
folder, names = sys.argv[1], sys.argv[2:]
key = ec.generate_private_key(ec.SECP256R1())
name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, names[0])])
now = d.datetime.now(d.timezone.utc)
made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
made = made.serial_number(1).not_valid_before(now - d.timedelta(1)).not_valid_after(now + d.timedelta(1))
made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), False)
made = made.sign(key, hashes.SHA256())
open(folder + '/tls.crt', 'wb').write(made.public_bytes(s.Encoding.PEM))
pem = key.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, s.NoEncryption())
open(folder + '/tls.key', 'wb').write(pem)
";

/// A certificate and its key, as files.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// The certificate.
    pub chain: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

impl Certificate {
    /// Makes `tls.crt` and `tls.key` in `folder`, for these names.
    #[must_use]
    pub fn make(folder: &Path, names: &[&str]) -> Self {
        let mut command = python();
        command.args(["-c", MAKE]).arg(folder).args(names);
        let output = Output::of(command);
        assert_eq!(output.code, 0, "{}", output.stderr);
        Self { chain: folder.join("tls.crt"), key: folder.join("tls.key") }
    }

    /// `[server.tls]` of a gateway that shows it on this port.
    #[must_use]
    pub fn settings(&self, port: u16) -> String {
        let path = |path: &Path| path.to_str().unwrap().to_owned();
        let (chain, key) = (path(&self.chain), path(&self.key));
        format!("[server.tls]\nlisten = \"127.0.0.1:{port}\"\ncertificate = {chain:?}\nkey = {key:?}\n")
    }

    /// A client that believes in it alone and speaks HTTP/2.
    pub(crate) fn client(&self) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(&self.chain).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let mut client = versions.with_root_certificates(roots).with_no_client_auth();
        client.alpn_protocols = vec![b"h2".to_vec()];
        Arc::new(client)
    }
}
