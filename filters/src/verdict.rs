//! What the chain decides: the verdict for the client, the decision for the log.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode};

use crate::{Asks, Crawler, Earned, Fault, Form, Identity, Reason, Trust};

/// What came of a request.
#[derive(Debug)]
pub struct Outcome {
    /// What to do.
    pub verdict: Verdict,
    /// What to log and count.
    pub decision: Decision,
}

/// What to do with a request.
#[derive(Debug)]
pub enum Verdict {
    /// It goes on to the origin, with the edits.
    Continue,
    /// It is answered here.
    Respond(Box<Reply>),
}

/// An answer of the gateway's own, complete but for what the writer adds (`Content-Length`, `Date`).
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// The headers, `Cache-Control: no-store` among them.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The body.
    pub body: Bytes,
}

/// What was decided, for the log.
#[derive(Clone, Debug)]
pub struct Decision {
    /// In one word.
    pub word: DecisionWord,
    /// Why, unless it was simply allowed.
    pub reason: Option<Reason>,
    /// What was wrong with the credential that was shown, which only the log may know.
    pub fault: Option<Fault>,
    /// Which of the site's issuers was asked about it, in their order.
    pub issuer: Option<usize>,
    /// How sure we are of who asked.
    pub trust: Trust,
    /// Who asked, if a credential counted.
    pub identity: Option<Arc<Identity>>,
    /// What the path asks for; `None` when the path was refused.
    pub policy: Option<Asks>,
    /// What came of work, where it was asked for.
    pub work: Option<WorkEvent>,
    /// Who calls itself a crawler, and is to be looked up beside the request.
    pub claim: Option<(IpAddr, &'static Crawler)>,
}

/// What came of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkEvent {
    /// A challenge was made.
    Asked {
        /// Of how many bits.
        bits: u8,
        /// How it was asked.
        form: Form,
    },
    /// A challenge was solved, or waited for.
    Done {
        /// Of how many bits.
        bits: u8,
        /// How.
        earned: Earned,
        /// From when it was made.
        took: Duration,
    },
}

impl Decision {
    /// Of a request about which nothing is decided yet.
    #[must_use]
    pub const fn undecided() -> Self {
        Self {
            word: DecisionWord::Error,
            reason: None,
            fault: None,
            issuer: None,
            trust: Trust::Unknown,
            identity: None,
            policy: None,
            work: None,
            claim: None,
        }
    }

    /// The issuer whose fresher key set might have decided otherwise: look for one in the background.
    #[must_use]
    pub fn wants_keys_of(&self) -> Option<usize> {
        self.issuer.filter(|_| self.fault == Some(Fault::AccessToken(passport::Refusal::UnknownKey)))
    }
}

/// A decision in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DecisionWord {
    /// The request went on.
    Allow,
    /// It was refused.
    Deny,
    /// It went on, and would have been refused in `enforce`.
    WouldDeny,
    /// A challenge was set.
    Challenge,
    /// It could not be decided or carried out.
    Error,
}

impl DecisionWord {
    /// The word in logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::WouldDeny => "would_deny",
            Self::Challenge => "challenge",
            Self::Error => "error",
        }
    }
}
