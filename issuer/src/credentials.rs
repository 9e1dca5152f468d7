//! Opaque tokens: what an agent, a site, a gateway, a client or an owner's browser shows to the issuer. Only their SHA-256
//! is stored.

use std::fmt;

use aws_lc_rs::{digest, rand};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Serialize, Serializer};

/// 256 bits: not to be guessed, and needing no slow hash.
const TOKEN_BYTES: usize = 32;

/// Whose token it is, as its prefix says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holder {
    Agent,
    Site,
    Gateway,
    /// Whoever redeems an authorization code.
    Code,
    /// Whoever rotates a refresh token.
    Refresh,
    /// A confidential client, by its secret.
    Client,
    /// A signed-in owner's browser.
    OwnerSession,
}

impl Holder {
    const fn prefix(self) -> &'static str {
        match self {
            Self::Agent => "at_",
            Self::Site => "st_",
            Self::Gateway => "gt_",
            Self::Code => "ac_",
            Self::Refresh => "rt_",
            Self::Client => "cs_",
            Self::OwnerSession => "os_",
        }
    }
}

/// A token in the clear: shown once, to the one who registers it. Debug does not print it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// A new token. `None` when the system gives no randomness.
    pub(crate) fn generate(holder: Holder) -> Option<Self> {
        let mut bytes = [0; TOKEN_BYTES];
        rand::fill(&mut bytes).ok()?;
        Some(Self(format!("{}{}", holder.prefix(), URL_SAFE_NO_PAD.encode(bytes))))
    }

    /// The text to hand to its holder.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    pub(crate) fn hash(&self) -> TokenHash {
        TokenHash::of(&self.0)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

impl Serialize for Token {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// What is stored of a token, and looked up. A look-up by hash tells a guesser nothing by its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TokenHash(String);

impl TokenHash {
    fn of(token: &str) -> Self {
        Self(URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, token.as_bytes())))
    }

    /// The hash of what somebody shows, if it has the form of a token of this holder.
    pub(crate) fn presented(text: &str, holder: Holder) -> Option<Self> {
        let body = text.strip_prefix(holder.prefix())?;
        let formed = URL_SAFE_NO_PAD.decode(body).is_ok_and(|bytes| bytes.len() == TOKEN_BYTES);
        formed.then(|| Self::of(text))
    }

    /// What was stored before, read again.
    pub(crate) const fn stored(text: String) -> Self {
        Self(text)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}
