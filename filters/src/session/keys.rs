use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use config::Site;
use passport::{LoginRequestId, TOKEN_BYTES_MAX, UnixTime};

use super::{SESSION_PREFIX, Session};
use crate::Fault;
use crate::derive::{derive, root};

/// Six bytes in base64url.
const TAG_CHARACTERS: usize = 8;

/// The name of a sealing key, as it stands in a session.
pub(crate) type KeyTag = [u8; TAG_CHARACTERS];

/// The keys sessions and login secrets are made with, derived from the gateway's secret (HKDF, RFC 5869). Two live at a
/// time, so that a secret can be replaced without ending what was sealed under the one before.
pub struct SessionKeys {
    current: Keys,
    previous: Option<Keys>,
}

/// What can be said of the secret of a login request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginSecret {
    /// It was given out for this request of this site, and has not ended.
    Good {
        /// When it ends.
        expires_at: UnixTime,
    },
    /// It was, but has ended.
    Ended,
    /// It was not.
    Forged,
}

impl SessionKeys {
    /// Derives the keys from the gateway's secret, and from the one it had before.
    #[must_use]
    pub fn new(current: &[u8; 32], previous: Option<&[u8; 32]>) -> Self {
        Self { current: Keys::derive_from(current), previous: previous.map(Keys::derive_from) }
    }

    /// Seals a session for a site as `ls1.TAG.TEXT` (AES-256-GCM over its JSON; the site's URL is authenticated with it,
    /// so that no other site opens it).
    ///
    /// `nonce` must be random. `None` when the session cannot be sealed, which no input is known to cause.
    #[must_use]
    pub fn seal(&self, site: &Site, session: &Session, nonce: [u8; NONCE_LEN]) -> Option<String> {
        let mut text = serde_json::to_vec(session).ok()?;
        let keys = &self.current;
        keys.seal.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), associated(site), &mut text).ok()?;
        let mut sealed = nonce.to_vec();
        sealed.append(&mut text);
        let tag = std::str::from_utf8(&keys.tag).ok()?;
        Some(format!("{SESSION_PREFIX}{tag}.{}", URL_SAFE_NO_PAD.encode(sealed)))
    }

    /// Opens what [`seal`](Self::seal) made for this site.
    ///
    /// # Errors
    /// [`Fault::Seal`] when it was not sealed so, [`Fault::SessionEnded`] when it has ended.
    pub fn open(&self, site: &Site, text: &str, now: UnixTime) -> Result<Session, Fault> {
        let session = self.unseal(site, text).ok_or(Fault::Seal)?;
        if session.ends_at(site) > now { Ok(session) } else { Err(Fault::SessionEnded) }
    }

    fn unseal(&self, site: &Site, text: &str) -> Option<Session> {
        if text.len() > TOKEN_BYTES_MAX {
            return None;
        }
        let keys = self.keys(tag_of(text)?)?;
        let (_, sealed) = text.rsplit_once('.')?;
        let mut sealed = URL_SAFE_NO_PAD.decode(sealed).ok()?;
        let (nonce, text) = sealed.split_first_chunk_mut::<NONCE_LEN>()?;
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let text = keys.seal.open_in_place(nonce, associated(site), text).ok()?;
        serde_json::from_slice(text).ok()
    }

    /// The secret that opens the outcome of a login request, as `EXPIRY.MAC`: any node can check it, none keeps it.
    #[must_use]
    pub fn login_secret(&self, site: &Site, request: &LoginRequestId, expires_at: UnixTime) -> String {
        let expiry = expires_at.as_secs().to_string();
        let mac = hmac::sign(&self.current.login, &login_text(site, request, &expiry));
        format!("{expiry}.{}", URL_SAFE_NO_PAD.encode(mac))
    }

    /// Judges a secret of a login request, in constant time.
    #[must_use]
    pub fn check_login_secret(
        &self,
        site: &Site,
        request: &LoginRequestId,
        secret: &str,
        now: UnixTime,
    ) -> LoginSecret {
        let Some((expiry, mac)) = secret.split_once('.') else { return LoginSecret::Forged };
        let Ok(mac) = URL_SAFE_NO_PAD.decode(mac) else { return LoginSecret::Forged };
        let text = login_text(site, request, expiry);
        let made_by = |keys: &Keys| hmac::verify(&keys.login, &text, &mac).is_ok();
        if !self.live().any(made_by) {
            return LoginSecret::Forged;
        }
        match expiry.parse().map(UnixTime::from_secs) {
            Ok(expires_at) if expires_at > now => LoginSecret::Good { expires_at },
            Ok(_) => LoginSecret::Ended,
            Err(_) => LoginSecret::Forged,
        }
    }

    /// Whether the key of this name is still one of ours.
    pub(crate) fn has(&self, tag: KeyTag) -> bool {
        self.keys(tag).is_some()
    }

    fn keys(&self, tag: KeyTag) -> Option<&Keys> {
        self.live().find(|keys| keys.tag == tag)
    }

    fn live(&self) -> impl Iterator<Item = &Keys> {
        std::iter::once(&self.current).chain(&self.previous)
    }
}

impl fmt::Debug for SessionKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let live = 1 + usize::from(self.previous.is_some());
        f.debug_struct("SessionKeys").field("live", &live).finish_non_exhaustive()
    }
}

/// What is derived from one secret.
struct Keys {
    tag: KeyTag,
    seal: LessSafeKey,
    login: hmac::Key,
}

impl Keys {
    fn derive_from(secret: &[u8; 32]) -> Self {
        let root = root(secret);
        let seal: UnboundKey = derive(&root, b"session", &AES_256_GCM);
        let naming: hmac::Key = derive(&root, b"name of the session key", hmac::HMAC_SHA256);
        Self {
            tag: tag(&naming),
            seal: LessSafeKey::new(seal),
            login: derive(&root, b"login secret", hmac::HMAC_SHA256),
        }
    }
}

/// A name that tells nothing of the key.
fn tag(naming: &hmac::Key) -> KeyTag {
    let mut tag = KeyTag::default();
    let name = hmac::sign(naming, b"");
    for (character, byte) in tag.iter_mut().zip(URL_SAFE_NO_PAD.encode(name).bytes()) {
        *character = byte;
    }
    tag
}

/// The name of the key that a text says it was sealed under.
pub(crate) fn tag_of(session: &str) -> Option<KeyTag> {
    let (tag, _) = session.strip_prefix(SESSION_PREFIX)?.split_once('.')?;
    tag.as_bytes().try_into().ok()
}

/// The URL, because it is known from the file even where the issuer was never reached.
fn associated(site: &Site) -> Aad<&[u8]> {
    Aad::from(site.url.as_str().as_bytes())
}

/// Neither a URL nor an id has a line break, so that no two requests share a text.
fn login_text(site: &Site, request: &LoginRequestId, expiry: &str) -> Vec<u8> {
    format!("{}\n{request}\n{expiry}", site.url).into_bytes()
}
