//! The secret file: 32 bytes under which private keys are sealed in the store.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, Prk, Salt};
use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::Error;

const SECRET_BYTES: usize = 32;
const NONCE_BYTES: usize = 12;

/// Whether a missing file may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    Make,
    Refuse,
}

/// Seals private keys: AES-256-GCM, the kid as additional data, so that no row can take another's place.
pub(crate) struct Sealer {
    key: RandomizedNonceKey,
    secret: Prk,
}

impl Sealer {
    /// Reads the secret, or makes it (0600) on a first start.
    pub(crate) fn open(path: &Path, missing: Missing) -> Result<Self, Error> {
        let failed = |source| Error::Secret { path: path.to_owned(), source };
        let secret = match fs::read(path) {
            Ok(secret) => secret,
            Err(error) if error.kind() == io::ErrorKind::NotFound => match missing {
                Missing::Refuse => return Err(Error::SecretMissing { path: path.to_owned() }),
                Missing::Make => {
                    make(path).map_err(failed)?;
                    fs::read(path).map_err(failed)?
                }
            },
            Err(error) => return Err(failed(error)),
        };
        if fs::metadata(path).is_ok_and(|file| file.permissions().mode() & 0o077 != 0) {
            tracing::warn!(path = %path.display(), "the secret can be read by others: chmod 600");
        }
        let malformed = |_| Error::SecretForm { path: path.to_owned() };
        let key = RandomizedNonceKey::new(&AES_256_GCM, &secret).map_err(malformed)?;
        let secret = Salt::new(HKDF_SHA256, b"lime issuer secret").extract(&secret);
        Ok(Self { key, secret })
    }

    /// A key for one purpose, which says nothing of any other (HKDF, RFC 5869). All issuers of one store have the same.
    pub(crate) fn derive(&self, purpose: &[u8]) -> Result<[u8; SECRET_BYTES], Error> {
        let mut key = [0; SECRET_BYTES];
        let purpose = [purpose];
        let derived = self.secret.expand(&purpose, HKDF_SHA256).and_then(|okm| okm.fill(&mut key));
        derived.map_err(|_| Error::Key("cannot be derived"))?;
        Ok(key)
    }

    pub(crate) fn seal(&self, kid: &str, private: &[u8]) -> Result<String, Error> {
        let mut sealed = private.to_vec();
        let nonce = self
            .key
            .seal_in_place_append_tag(Aad::from(kid.as_bytes()), &mut sealed)
            .map_err(|_| Error::Key("cannot be sealed"))?;
        let mut text = URL_SAFE_NO_PAD.encode(nonce.as_ref());
        text.push('.');
        URL_SAFE_NO_PAD.encode_string(&sealed, &mut text);
        Ok(text)
    }

    pub(crate) fn open_sealed(&self, kid: &str, text: &str) -> Result<Vec<u8>, Error> {
        let unreadable = || Error::Key("in the store cannot be opened with this secret");
        let (nonce, sealed) = text.split_once('.').ok_or_else(unreadable)?;
        let nonce = URL_SAFE_NO_PAD.decode(nonce).map_err(|_| unreadable())?;
        let nonce: [u8; NONCE_BYTES] = nonce.try_into().map_err(|_| unreadable())?;
        let mut sealed = URL_SAFE_NO_PAD.decode(sealed).map_err(|_| unreadable())?;
        let nonce = Nonce::assume_unique_for_key(nonce);
        let private =
            self.key.open_in_place(nonce, Aad::from(kid.as_bytes()), &mut sealed).map_err(|_| unreadable())?;
        Ok(private.to_vec())
    }
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealer(..)")
    }
}

/// Written beside its place and linked into it: a crash leaves no half a secret, and of two first starts one wins.
fn make(path: &Path) -> io::Result<()> {
    let mut secret = [0; SECRET_BYTES];
    rand::fill(&mut secret).map_err(|_| io::Error::other("no randomness"))?;
    let directory = match path.parent() {
        Some(directory) if !directory.as_os_str().is_empty() => directory,
        _ => Path::new("."),
    };
    fs::create_dir_all(directory)?;
    let draft = path.with_extension(format!("draft-{}", uuid::Uuid::new_v4()));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    file.write_all(&secret)?;
    file.sync_all()?;
    let linked = match fs::hard_link(&draft, path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        Ok(()) | Err(_) => Ok(()),
    };
    fs::remove_file(&draft)?;
    linked?;
    fs::File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_key_opens_under_its_own_kid_and_no_other() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("sub").join("secret");
        let sealer = Sealer::open(&path, Missing::Make).unwrap();
        let sealed = sealer.seal("kid-1", b"private").unwrap();
        let again = Sealer::open(&path, Missing::Refuse).unwrap();
        assert_eq!(again.open_sealed("kid-1", &sealed).unwrap(), b"private");
        assert!(again.open_sealed("kid-2", &sealed).is_err());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read(&path).unwrap().len(), SECRET_BYTES);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "no draft is left behind");
    }

    #[test]
    fn a_missing_or_misshapen_secret_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secret");
        assert!(matches!(Sealer::open(&path, Missing::Refuse), Err(Error::SecretMissing { .. })));
        fs::write(&path, b"short").unwrap();
        assert!(matches!(Sealer::open(&path, Missing::Make), Err(Error::SecretForm { .. })));
    }
}
