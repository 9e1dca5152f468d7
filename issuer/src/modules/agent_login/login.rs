//! A login as a value: what state it is in at a time, and what an approve would make of it.

use std::time::Duration;

use passport::AgentId;

use crate::store::{Approval, LoginRecord, LoginState};
use crate::time::UnixMillis;

/// How long an approve can be repeated at least; so long an approved login is delivered too.
const APPROVED_FOR: Duration = Duration::from_secs(600);

/// Where a login request stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Login {
    /// Open to be approved.
    Pending,
    /// Approved; no stream has taken the event yet.
    Approved(Approval),
    /// Approved, and one stream at least has taken it.
    Delivered(Approval),
    /// It was not approved in time, or what became of it is past.
    Expired,
}

/// What an approve by some agent with some nonce comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Approve {
    /// It can be approved now, if the nonce solves the challenge.
    Open,
    /// The same agent with the same nonce approved it before: the answer was lost, here it is again.
    Repeated,
    /// Another agent, or another nonce, was first.
    Conflict,
    /// There is nothing to approve.
    Gone,
}

impl Login {
    /// The state of a stored request at `now`.
    pub(crate) fn at(record: &LoginRecord, now: UnixMillis) -> Self {
        let lives = |approval: &Approval| record.expires_at > now || approval.at.plus(APPROVED_FOR) > now;
        match &record.state {
            LoginState::Pending if record.expires_at > now => Self::Pending,
            LoginState::Approved(approval) if lives(approval) => Self::Approved(approval.clone()),
            LoginState::Delivered { approval, .. } if lives(approval) => Self::Delivered(approval.clone()),
            LoginState::Pending | LoginState::Approved(_) | LoginState::Delivered { .. } => Self::Expired,
        }
    }

    /// What an approve comes to.
    pub(crate) fn approve(&self, agent: &AgentId, nonce: &str) -> Approve {
        match self {
            Self::Pending => Approve::Open,
            Self::Approved(approval) | Self::Delivered(approval) => {
                if approval.agent == *agent && approval.nonce == nonce { Approve::Repeated } else { Approve::Conflict }
            }
            Self::Expired => Approve::Gone,
        }
    }

    /// The word on the wire.
    pub(crate) const fn status(&self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Approved(_) => "APPROVED",
            Self::Delivered(_) => "DELIVERED",
            Self::Expired => "EXPIRED",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(state: LoginState) -> LoginRecord {
        LoginRecord {
            id: "r1".parse().unwrap(),
            site: "s1".parse().unwrap(),
            site_name: "Shop".to_owned(),
            site_origin: "https://shop.example".to_owned(),
            site_suspended: false,
            challenge: "c".to_owned(),
            difficulty: 4,
            expires_at: UnixMillis::new(300_000),
            state,
        }
    }

    fn approval() -> Approval {
        Approval {
            agent: "a1".parse().unwrap(),
            nonce: "36".to_owned(),
            jti: "j1".parse().unwrap(),
            at: UnixMillis::new(200_000),
        }
    }

    #[track_caller]
    fn check(state: LoginState, now: i64, status: &str, agent: &str, nonce: &str, expected: Approve) {
        let login = Login::at(&record(state), UnixMillis::new(now));
        assert_eq!(login.status(), status);
        assert_eq!(login.approve(&agent.parse().unwrap(), nonce), expected);
    }

    #[test]
    fn a_login_goes_from_pending_to_approved_to_delivered_or_expires() {
        let delivered = LoginState::Delivered { approval: approval(), at: UnixMillis::new(201_000) };
        check(LoginState::Pending, 299_999, "PENDING", "a1", "36", Approve::Open);
        check(LoginState::Pending, 300_000, "EXPIRED", "a1", "36", Approve::Gone);
        check(LoginState::Approved(approval()), 299_999, "APPROVED", "a1", "36", Approve::Repeated);
        check(LoginState::Approved(approval()), 799_999, "APPROVED", "a1", "36", Approve::Repeated);
        check(LoginState::Approved(approval()), 800_000, "EXPIRED", "a1", "36", Approve::Gone);
        check(LoginState::Approved(approval()), 299_999, "APPROVED", "a2", "36", Approve::Conflict);
        check(LoginState::Approved(approval()), 299_999, "APPROVED", "a1", "37", Approve::Conflict);
        check(delivered.clone(), 299_999, "DELIVERED", "a1", "36", Approve::Repeated);
        check(delivered, 800_000, "EXPIRED", "a1", "36", Approve::Gone);
    }
}
