//! Names of things. Each is 1 to 128 characters of `A-Z a-z 0-9 . _ : -`, so that an id can stand in a header, a log
//! line or a path segment as it is; `.` and `..` alone are no ids.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

const ID_BYTES_MAX: usize = 128;

/// A text that cannot be an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an id is 1 to 128 characters of A-Z a-z 0-9 . _ : -")]
pub struct BadId;

fn parse(text: &str) -> Result<Box<str>, BadId> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte);
    let fits = (1..=ID_BYTES_MAX).contains(&text.len()) && text.bytes().all(allowed);
    if fits && text != "." && text != ".." { Ok(text.into()) } else { Err(BadId) }
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Box<str>);

        impl $name {
            /// The id as it stands in a token.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = BadId;

            fn from_str(text: &str) -> Result<Self, BadId> {
                parse(text).map(Self)
            }
        }

        impl TryFrom<String> for $name {
            type Error = BadId;

            fn try_from(text: String) -> Result<Self, BadId> {
                parse(&text).map(Self)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0.into()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id! {
    /// An agent: `sub` of every passport (RFC 7519 §4.1.2).
    AgentId
}
id! {
    /// The person or company that answers for an agent or a site.
    OwnerId
}
id! {
    /// A site registered at an issuer.
    SiteId
}
id! {
    /// A login request that a site opened.
    LoginRequestId
}
id! {
    /// A binding between an agent and an account at a site.
    BindingId
}
id! {
    /// The once-only name of a passport: `jti` (RFC 7519 §4.1.7).
    TokenId
}
id! {
    /// The name of a signing key: `kid` (RFC 7515 §4.1.4). Ours are RFC 7638 thumbprints.
    KeyId
}

/// How well the issuer knows an owner: 0 (an account, nothing checked) upwards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OwnerLevel(u8);

impl OwnerLevel {
    /// A level by its number.
    #[must_use]
    pub const fn new(level: u8) -> Self {
        Self(level)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }
}
