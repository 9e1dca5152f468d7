//! What comes of a request, as the log has it.

use config::Site;
use http::header::SET_COOKIE;

use super::{Admitted, Refused};
use crate::cookie::clear_cookie;
use crate::credential::Shown;
use crate::{Asks, Decision, DecisionWord, Identity, Outcome, Reason, Trust, Verdict};

/// A client that keeps cookies would send a session that ended for ever, and be refused even where nothing is asked.
pub(super) fn forget_bad_cookie(site: &Site, shown: &Shown<'_>, outcome: &mut Outcome) {
    let is_bad =
        outcome.decision.reason == Some(Reason::InvalidToken) && shown.cookie.is_some() && shown.header.is_none();
    if let Verdict::Respond(reply) = &mut outcome.verdict
        && is_bad
    {
        reply.headers.extend(clear_cookie(site).map(|cookie| (SET_COOKIE, cookie)));
    }
}

pub(super) fn went_on(policy: Asks, admitted: Admitted) -> Outcome {
    let Admitted { identity, fault, issuer, cleared, limits: _ } = admitted;
    let trust = if cleared.is_some() { Trust::Cleared } else { trust(identity.as_deref()) };
    let work = cleared.flatten().map(|granted| granted.event());
    let decision = Decision {
        word: DecisionWord::Allow,
        fault,
        issuer,
        trust,
        identity,
        policy: Some(policy),
        work,
        ..Decision::undecided()
    };
    Outcome { verdict: Verdict::Continue, decision }
}

pub(super) fn would_be_refused(policy: Asks, refused: Refused) -> Outcome {
    let Refused { reason, fault, issuer, identity, claim, .. } = refused;
    let (word, trust) = (DecisionWord::WouldDeny, trust(identity.as_deref()));
    let policy = Some(policy);
    let decision = Decision { word, reason: Some(reason), fault, issuer, trust, identity, policy, work: None, claim };
    Outcome { verdict: Verdict::Continue, decision }
}

pub(super) fn trust(identity: Option<&Identity>) -> Trust {
    identity.map_or(Trust::Unknown, Identity::trust)
}
