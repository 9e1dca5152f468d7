//! Approve a login request: fetch the challenge, look at it, solve it, approve.

use std::time::Duration;

use passport::LoginRequestId;
use pow::Puzzles;
use reqwest::Method;
use serde::{Deserialize, Serialize};

use crate::solving::{affordable, solve};
use crate::{Agent, Error};

/// What is happening, for whoever watches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The challenge is here; `site` is the origin it names.
    Challenge {
        /// The origin of the site that opened the login, where the issuer says.
        site: Option<String>,
        /// Bits of work asked for.
        difficulty_bits: u8,
    },
    /// A gateway asks for work.
    Work {
        /// Bits of work asked for.
        difficulty_bits: u8,
    },
    /// So many attempts were made so far.
    Solving {
        /// Attempts made.
        attempts: u64,
    },
    /// The challenge is solved.
    Solved {
        /// Attempts made.
        attempts: u64,
        /// How long they took.
        took: Duration,
    },
}

/// What the issuer answered to an approve.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// The login request.
    pub request_id: String,
    /// The site that opened it.
    pub site_id: String,
    /// `APPROVED`, or `DELIVERED` once the site has the passport.
    pub status: String,
    /// When the request ends, RFC 3339.
    pub expires_at: String,
}

#[derive(Deserialize)]
struct Challenge {
    pow_challenge: String,
    pow_difficulty: u64,
    site: Option<Site>,
}

#[derive(Deserialize)]
struct Site {
    origin: String,
}

impl Agent {
    /// Approves the login request `request_id`.
    ///
    /// With `site_origin`, only if the challenge names that origin: whoever got the id from a page knows which site it
    /// should be for, and a relayed login is refused here.
    ///
    /// # Errors
    /// [`Error`]; nothing was approved then, except when the answer to the approve itself was lost.
    pub async fn login(
        &self,
        request_id: &str,
        site_origin: Option<&str>,
        progress: impl Fn(Progress) + Send + Sync,
    ) -> Result<Approval, Error> {
        let request_id: LoginRequestId = request_id.parse().map_err(Error::BadRequestId)?;
        let challenge: Challenge = self.call(self.public(Method::GET, &format!("/auth/requests/{request_id}"))).await?;
        let difficulty = affordable(challenge.pow_difficulty)?;
        let site = challenge.site.map(|site| site.origin);
        if let Some(expected) = site_origin {
            let found = site.as_deref().unwrap_or("a site the issuer does not name");
            if found != expected {
                return Err(Error::OtherSite { expected: expected.to_owned(), found: found.to_owned() });
            }
        }
        progress(Progress::Challenge { site, difficulty_bits: difficulty.bits() });
        let nonces = solve(&challenge.pow_challenge, Puzzles::One, difficulty, progress).await?;
        let path = format!("/modules/agent-login/requests/{request_id}/approve");
        let body = serde_json::json!({ "pow_nonce": nonces.first().map(ToString::to_string) });
        let approve = self.signed_in(Method::POST, &path).header("Content-Type", "application/json");
        self.call(approve.body(body.to_string())).await
    }
}
