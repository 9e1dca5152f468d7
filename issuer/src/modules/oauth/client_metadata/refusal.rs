use super::super::redirect_uri::BadRedirectUri;

/// Why there is no document for a `client_id`. The text is for the person who was sent here with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DocumentRefusal {
    #[error("its URL is longer than 2048 bytes")]
    TooLong,
    #[error("its URL does not begin with https://")]
    NotHttps,
    #[error("its URL has no path: a document lies below the root of a host")]
    NoPath,
    #[error("its URL has a fragment")]
    Fragment,
    #[error("its URL has a user name or password")]
    Userinfo,
    #[error("its URL is none")]
    NotUrl,
    /// With the one spelling that is taken.
    #[error("its URL can be written in another way: it has to be {0}")]
    Spelling(String),
    #[error("its URL names {0}, which is not an address of the internet")]
    AddressNotPublic(std::net::IpAddr),
    /// Which address that is is nothing for strangers.
    #[error("its host has an address that is not one of the internet")]
    HostNotPublic,
    #[error("its host is not found")]
    HostUnknown,
    #[error("its host cannot be reached over TLS")]
    Unreachable,
    #[error("its host took longer than 5 seconds")]
    TooSlow,
    #[error("its host answers with a redirect ({0}), and none is followed")]
    Redirect(u16),
    #[error("its host answers with status {0} instead of 200")]
    Status(u16),
    #[error("what its host answers is not JSON, by its content type")]
    NotJsonType,
    #[error("it is longer than {0} bytes")]
    TooLarge(usize),
    #[error("it is not one JSON object that names each member once")]
    NotJson,
    #[error("`{0}` is missing in it")]
    Missing(&'static str),
    #[error("`{0}` in it is not what it should be")]
    Invalid(&'static str),
    #[error("it is the document of another client: `client_id` in it is not its URL")]
    OtherClient,
    #[error("`redirect_uris` in it: {0}")]
    RedirectUri(BadRedirectUri),
    #[error("it holds a secret, which everybody can read there: `{0}`")]
    Secret(&'static str),
    #[error("`token_endpoint_auth_method` in it is neither `none` nor `private_key_jwt`")]
    AuthMethod,
    #[error("it names no key that could be used: RS256, ES256 or EdDSA")]
    Keys,
    #[error("too many documents are being fetched: try again in a minute")]
    Busy,
}

impl DocumentRefusal {
    /// Whether it says nothing about the document, so that the one of before still counts.
    pub(crate) const fn is_outage(&self) -> bool {
        match self {
            Self::HostUnknown | Self::Unreachable | Self::TooSlow | Self::Busy => true,
            Self::Status(status) => *status >= 500 || *status == 429,
            Self::TooLong
            | Self::NotHttps
            | Self::NoPath
            | Self::Fragment
            | Self::Userinfo
            | Self::NotUrl
            | Self::Spelling(_)
            | Self::AddressNotPublic(_)
            | Self::HostNotPublic
            | Self::Redirect(_)
            | Self::NotJsonType
            | Self::TooLarge(_)
            | Self::NotJson
            | Self::Missing(_)
            | Self::Invalid(_)
            | Self::OtherClient
            | Self::RedirectUri(_)
            | Self::Secret(_)
            | Self::AuthMethod
            | Self::Keys => false,
        }
    }
}
