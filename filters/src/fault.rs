use crate::ProofRefusal;

/// What is wrong with a credential. For logs and counters: a client is told no more than that it does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Fault {
    /// The access token was turned away.
    #[error("access token: {0}")]
    AccessToken(passport::Refusal),
    /// Its agent, owner, site or key was suspended, or it is older than such a change.
    #[error("revoked")]
    Revoked,
    /// A session that none of our keys opens for this site: altered, another site's, of a secret long replaced.
    #[error("session not sealed here")]
    Seal,
    /// A session that has ended.
    #[error("session ended")]
    SessionEnded,
    /// The site trusts no issuer, so nothing can count.
    #[error("site without an issuer")]
    NoIssuer,
    /// A scheme of which we can accept nothing, or none at all.
    #[error("authorization scheme not accepted")]
    Scheme,
    /// A token that is for one MCP endpoint, shown elsewhere.
    #[error("token of another resource")]
    Resource,
    /// What is no credential of ours, where there is no other to be.
    #[error("credential of nobody who counts here")]
    Foreign,
    /// A solution or a clearance does not count.
    #[error("work: {0}")]
    Work(ProofRefusal),
}

impl Fault {
    /// A stable word for logs and metrics.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::AccessToken(refusal) => refusal.code(),
            Self::Revoked => "revoked",
            Self::Seal => "seal",
            Self::SessionEnded => "session_ended",
            Self::NoIssuer => "no_issuer",
            Self::Scheme => "scheme",
            Self::Resource => "resource",
            Self::Foreign => "foreign",
            Self::Work(refusal) => refusal.code(),
        }
    }
}
