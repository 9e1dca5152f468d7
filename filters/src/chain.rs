//! The chain: everything that is decided about a request, in one fixed order.

use std::net::IpAddr;
use std::sync::Arc;

use config::{McpEndpoint, Mode, Policy, Require, Site};
use http::header::{AUTHORIZATION, RETRY_AFTER};
use http::{HeaderName, HeaderValue};

use crate::challenge::{Granted, ProofRefusal, Stranger};
use crate::crawler::Crawler;
use crate::credential::{Reader, Shown};
use crate::identify::{Failed, Judge};
use crate::interstitial::Interstitial;
use crate::limiter::Granted as Within;
use crate::limits::{Limits, Met, whole_seconds};
use crate::refusal::challenge_at;
use crate::stranger::{Asked, Passed, Strangers, Turned};
use crate::verified_cache::JudgedFor;
use crate::{
    Accepts, Asks, Contact, Decision, Edits, Fault, Identity, IssuerMoment, Moment, Outcome, Reason, Request,
    Resources, Verdict, cors, demands, path, refuse,
};

/// What the gateway does about the requests to one site. Made once for a configuration.
#[derive(Debug)]
pub struct Chain {
    site: Arc<Site>,
    resources: Resources,
    limits: Limits,
    judged_for: JudgedFor,
    interstitial: Option<Box<Interstitial>>,
}

/// A request that may go on, whoever it is from.
#[derive(Default)]
struct Admitted {
    identity: Option<Arc<Identity>>,
    fault: Option<Fault>,
    /// Which issuer might know better.
    issuer: Option<usize>,
    limits: Option<[(HeaderName, HeaderValue); 2]>,
    /// Whether he did some work, and what he gets for it if that was just now.
    cleared: Option<Option<Granted>>,
}

/// One that may not, before the mode of the site has its say.
struct Refused {
    reason: Reason,
    detail: &'static str,
    fault: Option<Fault>,
    issuer: Option<usize>,
    /// Who it is that may not, where that is beyond doubt.
    identity: Option<Arc<Identity>>,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// The work that is the way in.
    task: Option<Asked>,
    claim: Option<(IpAddr, &'static Crawler)>,
}

impl Chain {
    /// The chain of a site.
    #[must_use]
    pub fn new(site: Arc<Site>, resources: Resources) -> Self {
        let (judged_for, limits) = (JudgedFor::new(&site), Limits::new(&site));
        let asks_for_work = site.policies().any(|policy| policy.require == Require::Cleared);
        let interstitial = asks_for_work.then(|| Box::new(Interstitial::new(&site)));
        Self { site, resources, limits, judged_for, interstitial }
    }

    /// The site it is for.
    #[must_use]
    pub const fn site(&self) -> &Arc<Site> {
        &self.site
    }

    /// Whether strangers are asked for work anywhere at the site.
    #[must_use]
    pub const fn asks_for_work(&self) -> bool {
        self.interstitial.is_some()
    }

    /// Decides about a request, `mode` being what the site does about it now. `edits` are new ones; they are to be applied
    /// if it goes on.
    ///
    /// Path first, since a request that can be read in two ways has no policy; then credentials, since one that is shown
    /// must count even where none is asked for; then the policy, and last the limits, which only those use up who may pass.
    pub fn run(&self, request: &Request<'_>, mode: Mode, moment: &Moment<'_>, edits: &mut Edits) -> Outcome {
        let asks = match self.asks(request, mode) {
            Ok(asks) => asks,
            Err(reason) => return self.turned_away(request, moment, None, Refused::because(reason)),
        };
        let policy = match &asks {
            Asks::For(policy) => Arc::clone(policy),
            // The pages there are were answered before the chain is asked: nothing is left to ask for.
            Asks::Gateway => {
                return self.turned_away(request, moment, Some(asks), Refused::because(Reason::NotFound));
            }
        };
        if mode == Mode::Off {
            return went_on(asks, Admitted::default());
        }
        let endpoint = self.site.mcp_at(request.path).map(|endpoint| &**endpoint);
        let mut shown = self.reader(endpoint).read(request.headers);
        edits.keep_ours(&self.site, &mut shown);
        let judged = self.judge(&shown, request, &policy, moment);
        match (judged.and_then(|admitted| self.count(admitted, request, &policy, moment)), mode) {
            (Ok(mut admitted), _) => {
                if let Some(identity) = &admitted.identity {
                    edits.introduce(&self.site, identity, policy.require);
                }
                if let Some(granted) = &admitted.cleared {
                    edits.clear(&self.site);
                    let granted = granted.as_ref().map(|granted| granted.headers(&self.site, request.headers));
                    edits.grant(granted.unwrap_or_default());
                }
                edits.tell_limits(admitted.limits.take());
                went_on(asks, admitted)
            }
            (Err(refused), Mode::Enforce) => {
                let mut outcome = self.turned_away(request, moment, Some(asks), refused);
                forget_bad_cookie(&self.site, &shown, &mut outcome);
                outcome
            }
            (Err(refused), Mode::Observe | Mode::Off) => {
                if let Some(identity) = &refused.identity {
                    edits.introduce(&self.site, identity, policy.require);
                }
                would_be_refused(asks, refused)
            }
        }
    }

    /// With the gateway switched off, bytes that no path may carry are refused and the rest is not looked into.
    fn asks(&self, request: &Request<'_>, mode: Mode) -> Result<Asks, Reason> {
        match mode {
            Mode::Observe | Mode::Enforce => path::judge(&self.site, request.method, request.path),
            Mode::Off => {
                path::check_bytes(request.path)?;
                Ok(if path::is_own(request.path) { Asks::Gateway } else { Asks::For(Policy::open()) })
            }
        }
    }

    fn reader<'a>(&'a self, endpoint: Option<&'a McpEndpoint>) -> Reader<'a> {
        Reader { site: &self.site, cache: &self.resources.cache, judged_for: &self.judged_for, endpoint }
    }

    fn judge(
        &self,
        shown: &Shown<'_>,
        request: &Request<'_>,
        policy: &Arc<Policy>,
        moment: &Moment<'_>,
    ) -> Result<Admitted, Refused> {
        if policy.require == Require::Nobody {
            return Err(Refused::because(Reason::NotFound));
        }
        if shown.is_ambiguous {
            return Err(Refused::because(Reason::CredentialAmbiguous));
        }
        if request.is_preflight() && shown.header.is_none() && shown.cookie.is_none() {
            return Ok(Admitted::default());
        }
        let identity = match self.identify(shown, request, moment) {
            Ok(identity) => identity,
            Err(Doubt::Agents) => return Err(Refused::because(Reason::CredentialAmbiguous)),
            Err(Doubt::Failed(failed)) => return judge_fault(failed, policy, moment),
        };
        if policy.require == Require::None {
            return Ok(Admitted { identity, ..Admitted::default() });
        }
        if policy.require == Require::Cleared && identity.is_none() {
            return self.judge_stranger(shown, request, policy, moment);
        }
        let Some(identity) = identity else {
            // While one issuer can be believed, a stranger may still get in.
            let is_hopeless = moment.issuers.iter().all(|known| !self.can_be_believed(*known, moment));
            return Err(if is_hopeless {
                Refused::because(Reason::IssuerUnavailable)
            } else {
                Refused { detail: what_was_missing(request), ..Refused::because(Reason::PassportRequired) }
            });
        };
        if self.is_stale(moment.issuer(identity.issuer), moment) {
            return Err(Refused::because(Reason::IssuerUnavailable));
        }
        if let Err(reason) = demands::meet(policy, &identity) {
            return Err(Refused { identity: Some(identity), ..Refused::because(reason) });
        }
        Ok(Admitted { identity: Some(identity), ..Admitted::default() })
    }

    fn judge_stranger(
        &self,
        shown: &Shown<'_>,
        request: &Request<'_>,
        policy: &Policy,
        moment: &Moment<'_>,
    ) -> Result<Admitted, Refused> {
        match self.strangers(request, policy, moment).judge(shown) {
            Ok(Passed::Unasked) => Ok(Admitted::default()),
            Ok(Passed::Cleared(granted)) => Ok(Admitted { cleared: Some(granted), ..Admitted::default() }),
            Err(Turned { reason, refusal, task, claim }) => Err(Refused {
                detail: refusal.map_or(reason.meaning(), ProofRefusal::detail),
                fault: refusal.map(Fault::Work),
                task,
                claim,
                ..Refused::because(reason)
            }),
        }
    }

    fn strangers<'a>(&'a self, request: &'a Request<'a>, policy: &'a Policy, moment: &Moment<'_>) -> Strangers<'a> {
        let Resources { challenger, crawlers, budgets, .. } = &self.resources;
        let (Request { host, client, .. }, elapsed) = (*request, moment.elapsed);
        let stranger = Stranger { host, client, now: challenger.time(elapsed), elapsed };
        Strangers { site: &self.site, challenger, crawlers, budgets, policy, request, stranger }
    }

    fn can_be_believed(&self, known: IssuerMoment<'_>, moment: &Moment<'_>) -> bool {
        known.contact() == Contact::Kept && !self.is_stale(known, moment)
    }

    /// Whether too little is known of who was suspended.
    fn is_stale(&self, known: IssuerMoment<'_>, moment: &Moment<'_>) -> bool {
        let longest = self.site.revocation_max_stale;
        known.has_lost_revocations() || longest.is_some_and(|longest| known.is_stale(moment.now, longest))
    }

    /// Counts a request that may pass against the limits there are.
    fn count(
        &self,
        admitted: Admitted,
        request: &Request<'_>,
        policy: &Arc<Policy>,
        moment: &Moment<'_>,
    ) -> Result<Admitted, Refused> {
        let identity = admitted.identity.as_deref();
        let Some(met) = self.limits.take(&self.resources.limiter, policy, request, identity, moment.elapsed) else {
            return Ok(admitted);
        };
        match met.allowance.granted {
            Within::Yes => Ok(Admitted { limits: Some(met.headers()), ..admitted }),
            Within::No { retry_after } => {
                let mut headers = Vec::from(Met::headers(&met));
                headers.push((RETRY_AFTER, HeaderValue::from(whole_seconds(retry_after))));
                // What was just solved is spent: its clearance is to be kept for later.
                let granted = admitted.cleared.flatten();
                headers.extend(granted.iter().flat_map(|granted| granted.headers(&self.site, request.headers)));
                Err(Refused { headers, identity: admitted.identity, ..Refused::because(Reason::RateLimited) })
            }
        }
    }

    /// Whom the credentials identify, all of them.
    fn identify(
        &self,
        shown: &Shown<'_>,
        request: &Request<'_>,
        moment: &Moment<'_>,
    ) -> Result<Option<Arc<Identity>>, Doubt> {
        let (site, sessions, cache) = (&*self.site, &*self.resources.sessions, &*self.resources.cache);
        let endpoint = site.mcp_at(request.path).map(|endpoint| &**endpoint);
        let judge = Judge { site, sessions, cache, judged_for: &self.judged_for, moment, endpoint };
        let in_header = shown.header.as_ref().map(|credential| judge.identify(credential)).transpose()?;
        let in_cookie = shown.cookie.as_ref().map(|credential| judge.identify(credential)).transpose()?;
        match (in_header, in_cookie) {
            (Some(one), Some(other)) if one.issuer != other.issuer || one.agent != other.agent => Err(Doubt::Agents),
            (Some(identity), _) | (None, Some(identity)) => Ok(Some(identity)),
            (None, None) => Ok(None),
        }
    }

    fn turned_away(
        &self,
        request: &Request<'_>,
        moment: &Moment<'_>,
        policy: Option<Asks>,
        refused: Refused,
    ) -> Outcome {
        let Refused { reason, detail, fault, issuer, identity, headers, task, claim } = refused;
        let (mut reply, work) = match (&task, &policy) {
            (Some(task), Some(Asks::For(policy))) => {
                let (reply, work) = self.ask(request, moment, policy, task, (reason, detail));
                (reply, Some(work))
            }
            _ => {
                // A crawler would take a page for what there is to be found here.
                let is_crawler = reason == Reason::CrawlerUnconfirmed;
                let accepts = if is_crawler { Accepts::Document } else { Accepts::of(request.headers) };
                (refuse(Some(&self.site), reason, request.request_id, accepts, Some(detail)), None)
            }
        };
        if let Some(Asks::For(policy)) = &policy {
            demands::name(policy, reason, &mut reply);
        }
        if let (Some(Asks::For(_)), Some(endpoint)) = (&policy, self.site.mcp_at(request.path)) {
            challenge_at(&self.site, endpoint, reason, &mut reply);
        }
        reply.headers.extend(headers);
        cors::allow(&self.site, request.headers, &mut reply);
        let (word, trust) = (reason.decision_word(), trust(identity.as_deref()));
        let decision = Decision { word, reason: Some(reason), fault, issuer, trust, identity, policy, work, claim };
        Outcome { verdict: Verdict::Respond(Box::new(reply)), decision }
    }
}

/// Why nobody is identified although something was shown.
enum Doubt {
    Failed(Failed),
    /// Two credentials, two agents.
    Agents,
}

impl From<Failed> for Doubt {
    fn from(failed: Failed) -> Self {
        Self::Failed(failed)
    }
}

/// A credential that does not count is refused wherever it is shown; but where the issuer cannot be asked, one under an
/// unknown key is nobody's fault: strangers are told to wait where it matters and let through where it does not.
fn judge_fault(failed: Failed, policy: &Policy, moment: &Moment<'_>) -> Result<Admitted, Refused> {
    let Failed { fault, issuer } = failed;
    let is_lost = issuer.is_some_and(|issuer| moment.issuer(issuer).contact() == Contact::Lost);
    let is_nobodys = fault == Fault::AccessToken(passport::Refusal::UnknownKey) && is_lost;
    let reason = match (is_nobodys, policy.require) {
        (false, _) => Reason::InvalidToken,
        (true, Require::Cleared | Require::Passport | Require::Nobody) => Reason::IssuerUnavailable,
        (true, Require::None) => return Ok(Admitted { fault: Some(fault), issuer, ..Admitted::default() }),
    };
    Err(Refused { fault: Some(fault), issuer, ..Refused::because(reason) })
}

fn what_was_missing(request: &Request<'_>) -> &'static str {
    if request.headers.contains_key(AUTHORIZATION) {
        "No Lime credential was sent. Your Authorization header is the site's and was not read."
    } else {
        Reason::PassportRequired.meaning()
    }
}

impl Refused {
    const fn because(reason: Reason) -> Self {
        Self {
            reason,
            detail: reason.meaning(),
            fault: None,
            issuer: None,
            identity: None,
            headers: Vec::new(),
            task: None,
            claim: None,
        }
    }
}

mod mcp;
mod outcomes;
mod work;

pub use mcp::{AtMcp, McpOutcome};
use outcomes::{forget_bad_cookie, trust, went_on, would_be_refused};

#[cfg(test)]
mod tests;
