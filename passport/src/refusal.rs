/// Why a token is turned away. A client is told no more than that its token is invalid; the variant is for logs, counters
/// and tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Refusal {
    /// Longer than [`TOKEN_BYTES_MAX`](crate::TOKEN_BYTES_MAX); nothing of it was decoded.
    #[error("token longer than 8192 bytes")]
    TooLong,
    /// Not three parts of unpadded, canonical base64url, or a header that is not one JSON object of the right types.
    #[error("not a compact JWS")]
    Malformed,
    /// `alg` is not the algorithm of the key (RFC 8725 §3.1): `none`, `HS256` and all others end here.
    #[error("algorithm is not the key's")]
    Algorithm,
    /// A `crit` header (RFC 7515 §4.1.11): we understand no extension.
    #[error("critical header not understood")]
    Critical,
    /// `typ` is not the one of this kind of passport (RFC 8725 §3.11).
    #[error("wrong type of token")]
    Type,
    /// No key of this `kid` in the set. The only refusal that a fresher key set can change.
    #[error("unknown key")]
    UnknownKey,
    /// The signature is not the key's over these bytes.
    #[error("bad signature")]
    Signature,
    /// Signed, but the payload is not one JSON object with the claims of this kind: a member missing, twice, of the
    /// wrong type.
    #[error("claims missing or of the wrong type")]
    Claims,
    /// `iss` is another issuer.
    #[error("wrong issuer")]
    Issuer,
    /// `aud` is not the audience of this kind of passport.
    #[error("wrong audience")]
    Audience,
    /// Made out to another site or domain.
    #[error("for another site")]
    Recipient,
    /// `exp` has passed.
    #[error("expired")]
    Expired,
    /// `nbf` or `iat` lies ahead.
    #[error("not yet valid")]
    NotYetValid,
    /// `exp` − `iat` is longer than this kind of passport may live, or not positive.
    #[error("lifetime out of bounds")]
    Lifetime,
}

impl Refusal {
    /// A stable word for logs, metrics and test vectors.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::TooLong => "too_long",
            Self::Malformed => "malformed",
            Self::Algorithm => "algorithm",
            Self::Critical => "critical",
            Self::Type => "type",
            Self::UnknownKey => "unknown_key",
            Self::Signature => "signature",
            Self::Claims => "claims",
            Self::Issuer => "issuer",
            Self::Audience => "audience",
            Self::Recipient => "recipient",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::Lifetime => "lifetime",
        }
    }
}
