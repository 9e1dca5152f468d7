use std::fmt;
use std::net::IpAddr;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::derive::{Bytes32, derive, root};
use crate::network::Network;

/// Bytes of an authenticator.
pub(super) const MAC_BYTES: usize = 16;

/// From which network somebody came, as nobody else can tell; all zero for anybody's.
pub(super) type Bind = [u8; 12];

/// Of anybody's network.
pub(super) const UNBOUND: Bind = [0; 12];

/// The keys that challenges and clearances are made with. Two live at a time, so that a secret can be replaced while
/// somebody is at work.
pub struct ChallengeKeys {
    current: Keys,
    previous: Option<Keys>,
}

/// What is derived from one secret.
pub(super) struct Keys {
    /// A name that tells nothing of the keys.
    pub(super) kid: u8,
    // With the key already hashed: what is left of an authenticator are two or three blocks, and no allocation.
    challenge: Hmac<Sha256>,
    clearance: Hmac<Sha256>,
    bind: Hmac<Sha256>,
}

/// What an authenticator is for: one is never taken for the other.
#[derive(Clone, Copy, Debug)]
pub(super) enum Purpose {
    Challenge,
    Clearance,
}

impl ChallengeKeys {
    /// Derives the keys from the gateway's secret, and from the one it had before.
    #[must_use]
    pub fn new(current: &[u8; 32], previous: Option<&[u8; 32]>) -> Self {
        Self { current: Keys::derive_from(current), previous: previous.map(Keys::derive_from) }
    }

    pub(super) const fn current(&self) -> &Keys {
        &self.current
    }

    /// The keys under which `mac` is that of `text`, if any are.
    pub(super) fn signer(&self, purpose: Purpose, kid: u8, text: &[u8], mac: &[u8]) -> Option<&Keys> {
        let mut live = std::iter::once(&self.current).chain(&self.previous).filter(|keys| keys.kid == kid);
        live.find(|keys| verify_slices_are_equal(&keys.mac(purpose, text), mac).is_ok())
    }
}

impl Keys {
    fn derive_from(secret: &[u8; 32]) -> Self {
        let root = root(secret);
        let key = |purpose: &[u8]| derive::<_, Bytes32>(&root, purpose, Bytes32::KIND).0;
        let [kid, ..] = key(b"name of the challenge key");
        let hmac = |purpose: &[u8]| {
            // A key is as long as a block, zeros at its end (RFC 2104 §2).
            let mut block = [0; 64];
            block.iter_mut().zip(key(purpose)).for_each(|(place, byte)| *place = byte);
            Hmac::new(&block.into())
        };
        Self {
            kid,
            challenge: hmac(b"challenge"),
            clearance: hmac(b"clearance"),
            bind: hmac(b"network of a challenge"),
        }
    }

    pub(super) fn mac(&self, purpose: Purpose, text: &[u8]) -> [u8; MAC_BYTES] {
        let key = match purpose {
            Purpose::Challenge => &self.challenge,
            Purpose::Clearance => &self.clearance,
        };
        leading(key, text)
    }

    /// Binds to a network as wide as a provider's customers move in.
    pub(super) fn bind(&self, client: Option<IpAddr>) -> Bind {
        let Some(client) = client else { return UNBOUND };
        let network = Network::wide(client);
        leading(&self.bind, network.as_bytes())
    }
}

/// The first bytes of an authenticator.
fn leading<const COUNT: usize>(key: &Hmac<Sha256>, text: &[u8]) -> [u8; COUNT] {
    let mac = key.clone().chain_update(text).finalize().into_bytes();
    mac.first_chunk().copied().unwrap_or([0; COUNT])
}

impl fmt::Debug for ChallengeKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let live = 1 + usize::from(self.previous.is_some());
        f.debug_struct("ChallengeKeys").field("live", &live).finish_non_exhaustive()
    }
}
