use passport::BadId;

/// Why an agent did not get through.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The issuer's address is not an http or https URL.
    #[error("not an API base: {0} (write it like https://id.example.net/api/v1)")]
    BadApiBase(String),
    /// What should be fetched is not an http or https URL, or carries a password.
    #[error("not an address to fetch: {0} (write it like https://shop.example.com/agents/)")]
    BadUrl(String),
    /// The request id cannot be one, so nothing was sent.
    #[error("not a login request id")]
    BadRequestId(#[source] BadId),
    /// No answer.
    #[error("no answer from {origin}")]
    Unreachable {
        /// Who was asked.
        origin: String,
        /// What went wrong on the way.
        #[source]
        source: reqwest::Error,
    },
    /// The issuer refused, and said why.
    #[error("the issuer refused: {message} ({code}, status {status})")]
    Refused {
        /// HTTP status.
        status: u16,
        /// The stable code of the refusal.
        code: String,
        /// The issuer's words.
        message: String,
    },
    /// The answer is not what this endpoint answers, or longer than 64 KiB.
    #[error("unreadable answer from {0}")]
    Unreadable(String),
    /// The challenge asks for more work than any honest issuer does.
    #[error("the challenge asks for {0} bits of work; more than 24 is refused")]
    TooHard(u64),
    /// The login request belongs to another site: somebody is relaying it.
    #[error("this login is for {found}, not for {expected}: not approved")]
    OtherSite {
        /// The origin that is being fetched.
        expected: String,
        /// The origin the challenge names.
        found: String,
    },
    /// The gateway sends us to an issuer that is not ours. Our token stays home.
    #[error("the site trusts the issuer {found}; this agent's token belongs to {ours} and is not sent elsewhere")]
    OtherIssuer {
        /// The issuer of this agent.
        ours: String,
        /// The issuer the site asks for.
        found: String,
    },
    /// The gateway refused and offered nothing an agent can do.
    #[error("refused with status {status}{}", reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default())]
    NoWayIn {
        /// HTTP status of the refusal.
        status: u16,
        /// `reason` of the problem document, where there was one.
        reason: Option<String>,
    },
    /// The login was not completed before it expired.
    #[error("the login expired before the site received it")]
    Expired,
    /// A redirect away from the origin that was asked for; not followed.
    #[error("redirected to another origin, which is not followed: {0}")]
    Redirected(String),
    /// More redirects than anyone needs.
    #[error("more than 10 redirects")]
    TooManyRedirects,
}
