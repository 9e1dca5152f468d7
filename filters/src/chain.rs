//! The chain: everything that is decided about a request, in one fixed order.

use std::sync::Arc;

use config::{Mode, Site};
use http::header::{AUTHORIZATION, SET_COOKIE};

use crate::cookie::clear_cookie;
use crate::credential::{Reader, Shown};
use crate::identify::Judge;
use crate::verified_cache::{JudgedFor, VerifiedCache};
use crate::{
    Accepts, Contact, Decision, DecisionWord, Edits, Fault, Identity, Moment, Outcome, Policy, Reason, Request,
    SessionKeys, Trust, Verdict, path, refuse,
};

/// What the gateway does about the requests to one site. Made once for a configuration.
#[derive(Debug)]
pub struct Chain {
    site: Arc<Site>,
    sessions: Arc<SessionKeys>,
    cache: Arc<VerifiedCache>,
    judged_for: JudgedFor,
}

/// A request that may go on, whoever it is from.
#[derive(Default)]
struct Admitted {
    identity: Option<Arc<Identity>>,
    fault: Option<Fault>,
}

/// One that may not, before the mode of the site has its say.
struct Refused {
    reason: Reason,
    detail: &'static str,
    fault: Option<Fault>,
}

impl Chain {
    /// The chain of a site.
    #[must_use]
    pub fn new(site: Arc<Site>, sessions: Arc<SessionKeys>, cache: Arc<VerifiedCache>) -> Self {
        let judged_for = JudgedFor::new(&site);
        Self { site, sessions, cache, judged_for }
    }

    /// The site it is for.
    #[must_use]
    pub const fn site(&self) -> &Arc<Site> {
        &self.site
    }

    /// Decides about a request. `edits` are new ones; they are to be applied if it goes on.
    ///
    /// Path first, since a request that can be read in two ways has no policy; then credentials, since one that is shown
    /// must count even where none is asked for; then the policy.
    pub fn run(&self, request: &Request<'_>, moment: &Moment<'_>, edits: &mut Edits) -> Outcome {
        let policy = match self.policy(request.path) {
            Ok(policy) => policy,
            Err(reason) => return self.turned_away(request, None, &Refused::because(reason)),
        };
        // The pages there are were answered before the chain is asked: nothing is left to ask for.
        if policy == Policy::Gateway {
            return self.turned_away(request, Some(policy), &Refused::because(Reason::NotFound));
        }
        if self.site.mode == Mode::Off {
            return went_on(policy, Admitted::default());
        }
        let mut shown = self.reader().read(request.headers);
        edits.keep_ours(&self.site, &mut shown);
        match (self.judge(&shown, request, policy, moment), self.site.mode) {
            (Ok(admitted), _) => {
                if let Some(identity) = &admitted.identity {
                    edits.introduce(&self.site, identity, policy);
                }
                went_on(policy, admitted)
            }
            (Err(refused), Mode::Enforce) => {
                let mut outcome = self.turned_away(request, Some(policy), &refused);
                forget_bad_cookie(&self.site, &shown, &mut outcome);
                outcome
            }
            (Err(refused), Mode::Observe | Mode::Off) => would_be_refused(policy, &refused),
        }
    }

    /// With the gateway switched off, bytes that no path may carry are refused and the rest is not looked into.
    fn policy(&self, path: &[u8]) -> Result<Policy, Reason> {
        match self.site.mode {
            Mode::Observe | Mode::Enforce => path::judge(&self.site, path),
            Mode::Off => {
                path::check_bytes(path)?;
                Ok(if path::is_own(path) { Policy::Gateway } else { Policy::Open })
            }
        }
    }

    fn reader(&self) -> Reader<'_> {
        Reader { site: &self.site, cache: &self.cache, judged_for: &self.judged_for }
    }

    fn judge(
        &self,
        shown: &Shown<'_>,
        request: &Request<'_>,
        policy: Policy,
        moment: &Moment<'_>,
    ) -> Result<Admitted, Refused> {
        if shown.is_ambiguous {
            return Err(Refused::because(Reason::CredentialAmbiguous));
        }
        let identity = match self.identify(shown, moment) {
            Ok(identity) => identity,
            Err(Doubt::Agents) => return Err(Refused::because(Reason::CredentialAmbiguous)),
            Err(Doubt::Fault(fault)) => return judge_fault(fault, policy, moment.contact()),
        };
        if policy != Policy::Passport {
            return Ok(Admitted { identity, fault: None });
        }
        let is_stale = moment.has_lost_revocations()
            || self.site.revocation_max_stale.is_some_and(|longest| moment.is_stale(longest));
        let is_stranger = identity.is_none();
        if is_stale || (is_stranger && moment.contact() == Contact::Lost) {
            return Err(Refused::because(Reason::IssuerUnavailable));
        }
        if is_stranger {
            return Err(Refused { detail: what_was_missing(request), ..Refused::because(Reason::PassportRequired) });
        }
        Ok(Admitted { identity, fault: None })
    }

    /// Whom the credentials identify, all of them.
    fn identify(&self, shown: &Shown<'_>, moment: &Moment<'_>) -> Result<Option<Arc<Identity>>, Doubt> {
        let (site, sessions, cache) = (&*self.site, &*self.sessions, &*self.cache);
        let judge = Judge { site, sessions, cache, judged_for: &self.judged_for, moment };
        let in_header = shown.header.as_ref().map(|credential| judge.identify(credential)).transpose()?;
        let in_cookie = shown.cookie.as_ref().map(|credential| judge.identify(credential)).transpose()?;
        match (in_header, in_cookie) {
            (Some(one), Some(other)) if one.agent != other.agent => Err(Doubt::Agents),
            (Some(identity), _) | (None, Some(identity)) => Ok(Some(identity)),
            (None, None) => Ok(None),
        }
    }

    fn turned_away(&self, request: &Request<'_>, policy: Option<Policy>, refused: &Refused) -> Outcome {
        let Refused { reason, detail, fault } = *refused;
        let accepts = Accepts::of(request.headers);
        let reply = refuse(Some(&self.site), reason, request.request_id, accepts, Some(detail));
        let word = reason.decision_word();
        let decision = Decision { word, reason: Some(reason), fault, trust: Trust::Unknown, identity: None, policy };
        Outcome { verdict: Verdict::Respond(Box::new(reply)), decision }
    }
}

/// Why nobody is identified although something was shown.
enum Doubt {
    Fault(Fault),
    /// Two credentials, two agents.
    Agents,
}

impl From<Fault> for Doubt {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// A credential that does not count is refused wherever it is shown; but where the issuer cannot be asked, one under an
/// unknown key is nobody's fault: strangers are told to wait where it matters and let through where it does not.
fn judge_fault(fault: Fault, policy: Policy, contact: Contact) -> Result<Admitted, Refused> {
    let is_nobodys = fault == Fault::AccessToken(passport::Refusal::UnknownKey) && contact == Contact::Lost;
    let reason = match (is_nobodys, policy) {
        (false, _) => Reason::InvalidToken,
        (true, Policy::Passport) => Reason::IssuerUnavailable,
        (true, Policy::Open | Policy::Gateway) => return Ok(Admitted { identity: None, fault: Some(fault) }),
    };
    Err(Refused { fault: Some(fault), ..Refused::because(reason) })
}

fn what_was_missing(request: &Request<'_>) -> &'static str {
    if request.headers.contains_key(AUTHORIZATION) {
        "No Lime credential was sent. Your Authorization header is the site's and was not read."
    } else {
        Reason::PassportRequired.meaning()
    }
}

/// A client that keeps cookies would send a session that ended for ever, and be refused even where nothing is asked.
fn forget_bad_cookie(site: &Site, shown: &Shown<'_>, outcome: &mut Outcome) {
    let is_bad =
        outcome.decision.reason == Some(Reason::InvalidToken) && shown.cookie.is_some() && shown.header.is_none();
    if let Verdict::Respond(reply) = &mut outcome.verdict
        && is_bad
    {
        reply.headers.push((SET_COOKIE, clear_cookie(site)));
    }
}

fn went_on(policy: Policy, admitted: Admitted) -> Outcome {
    let Admitted { identity, fault } = admitted;
    let trust = identity.as_ref().map_or(Trust::Unknown, |identity| identity.trust());
    let decision = Decision { word: DecisionWord::Allow, reason: None, fault, trust, identity, policy: Some(policy) };
    Outcome { verdict: Verdict::Continue, decision }
}

fn would_be_refused(policy: Policy, refused: &Refused) -> Outcome {
    let decision = Decision {
        word: DecisionWord::WouldDeny,
        reason: Some(refused.reason),
        fault: refused.fault,
        trust: Trust::Unknown,
        identity: None,
        policy: Some(policy),
    };
    Outcome { verdict: Verdict::Continue, decision }
}

impl Refused {
    const fn because(reason: Reason) -> Self {
        Self { reason, detail: reason.meaning(), fault: None }
    }
}

#[cfg(test)]
mod tests;
