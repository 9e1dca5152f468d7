//! Asking strangers for work, and `/.lime/pow`, where a page hands it in.

use config::{Policy, Require};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, SET_COOKIE, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, Method, StatusCode};
use serde_json::json;

use super::Chain;
use crate::challenge::{Cleared, Granted, ProofRefusal};
use crate::credential::Work;
use crate::interstitial::Shown;
use crate::stranger::{Asked, Form};
use crate::{
    Accepts, Asks, Decision, DecisionWord, Fault, Moment, Outcome, Reason, Reply, Request, Verdict, WorkEvent, refusal,
    refuse,
};

impl Chain {
    /// The answer that asks for work: a page that does it by itself, or a document.
    pub(super) fn ask(
        &self,
        request: &Request<'_>,
        moment: &Moment<'_>,
        policy: &Policy,
        asked: &Asked,
        (reason, detail): (Reason, &str),
    ) -> (Reply, WorkEvent) {
        let strangers = self.strangers(request, policy, moment);
        let made = strangers.set(asked);
        let event = WorkEvent::Asked { bits: made.bits, form: asked.form() };
        let interstitial = self.interstitial.as_ref().filter(|_| asked.form() == Form::Page);
        let Some(interstitial) = interstitial else {
            let mut reply = refusal::challenge(&self.site, reason, request.request_id, detail, &made);
            if Form::is_shown(request.headers) {
                // A form that was sent: nobody but its sender can send it again.
                let page = refuse(Some(&self.site), reason, request.request_id, Accepts::Html, None);
                reply = Reply { headers: with_challenge(page.headers, &reply), ..page };
            }
            return (reply, event);
        };
        let wait = strangers.set_wait(asked);
        let sent = self.reader(None).read(request.headers);
        let had = sent.clearance.and_then(|text| self.resources.challenger.admit(text, &strangers.stranger).ok());
        // Whoever keeps no cookie would load the page again and again.
        let wait_seconds = wait.as_ref().map(|(seconds, _)| *seconds);
        let gave_up = wait.is_some() && strangers.comes_back_empty(&sent);
        let wait_seconds = wait_seconds.filter(|_| !gave_up);
        let shown = Shown { made: &made, wait_seconds, gave_up, had: had.map(|cleared| cleared.name()) };
        let mut reply = interstitial.page(&self.site, request.headers, request.request_id, &shown);
        let ticket = wait.and_then(|(_, ticket)| ticket);
        reply.headers.extend(ticket.map(|ticket| (SET_COOKIE, ticket)));
        (reply, event)
    }

    /// `/.lime/pow`: POST hands work in, as `Lime-Authorization: PoW ..`; GET says whether the clearance came back.
    pub fn work(&self, request: &Request<'_>, moment: &Moment<'_>) -> Outcome {
        let Some(policy) = self.hardest() else { return turned_away(self, request, Reason::NotFound) };
        let shown = self.reader(None).read(request.headers);
        let strangers = self.strangers(request, policy, moment);
        if *request.method == Method::GET || *request.method == Method::HEAD {
            let admitted = shown.clearance.map(|text| self.resources.challenger.admit(text, &strangers.stranger));
            let clearance = admitted.and_then(Result::ok).map(|cleared| cleared.name());
            return answered(document(&json!({ "cleared": clearance.is_some(), "clearance": clearance })), None);
        }
        if shown.is_ambiguous {
            return turned_away(self, request, Reason::CredentialAmbiguous);
        }
        let judged = match shown.work {
            Some(Work::Proof(proof)) => {
                let policies = self.site.policies().map(|policy| &**policy);
                self.resources.challenger.redeem(&proof, &strangers.stranger, policies, 0).map_err(Some)
            }
            Some(Work::Clearance(_) | Work::Malformed) => Err(Some(ProofRefusal::Malformed)),
            None => Err(None),
        };
        match judged {
            Ok(granted) => {
                let (requests, expires_in) = (granted.requests, granted.lives.as_secs());
                let mut reply = document(&json!({ "cleared": true, "expires_in": expires_in, "requests": requests }));
                reply.headers.extend(granted.headers(&self.site, request.headers));
                answered(reply, Some(granted.event()))
            }
            Err(refused) => self.ask_again(request, moment, policy, refused),
        }
    }

    fn ask_again(
        &self,
        request: &Request<'_>,
        moment: &Moment<'_>,
        policy: &Policy,
        refused: Option<ProofRefusal>,
    ) -> Outcome {
        let strangers = self.strangers(request, policy, moment);
        let asked = strangers.asked_again(refused);
        let reason = if refused.is_some() { Reason::SolutionRefused } else { Reason::ClearanceRequired };
        let detail = refused.map_or(reason.meaning(), ProofRefusal::detail);
        let made = strangers.set(&asked);
        let reply = refusal::challenge(&self.site, reason, request.request_id, detail, &made);
        let work = Some(WorkEvent::Asked { bits: made.bits, form: asked.form() });
        let fault = refused.map(Fault::Work);
        let decision = Decision { word: reason.decision_word(), reason: Some(reason), fault, work, ..of_the_gateway() };
        Outcome { verdict: Verdict::Respond(Box::new(reply)), decision }
    }

    /// The policy that asks strangers for the most work: what is done for it does everywhere at the site.
    fn hardest(&self) -> Option<&Policy> {
        let cleared = self.site.policies().filter(|policy| policy.require == Require::Cleared);
        cleared.max_by_key(|policy| policy.challenge.bits).map(|policy| &**policy)
    }
}

/// The headers of a page, with what a document says of the challenge.
fn with_challenge(mut headers: Vec<(HeaderName, HeaderValue)>, document: &Reply) -> Vec<(HeaderName, HeaderValue)> {
    headers.retain(|(name, _)| *name != WWW_AUTHENTICATE);
    headers.extend(document.headers.iter().filter(|(name, _)| *name == WWW_AUTHENTICATE).cloned());
    headers
}

impl Cleared {
    /// A name that tells one clearance from another, and is worth nothing.
    fn name(&self) -> String {
        self.sid.iter().rev().take(6).map(|byte| format!("{byte:02x}")).collect()
    }
}

impl Granted {
    /// For the log.
    pub(super) fn event(&self) -> WorkEvent {
        WorkEvent::Done { bits: self.cleared.bits, earned: self.cleared.earned, took: self.took }
    }
}

fn of_the_gateway() -> Decision {
    Decision { policy: Some(Asks::Gateway), ..Decision::undecided() }
}

fn turned_away(chain: &Chain, request: &Request<'_>, reason: Reason) -> Outcome {
    let accepts = Accepts::of(request.headers);
    let reply = refuse(Some(&chain.site), reason, request.request_id, accepts, None);
    let decision = Decision { word: reason.decision_word(), reason: Some(reason), ..of_the_gateway() };
    Outcome { verdict: Verdict::Respond(Box::new(reply)), decision }
}

fn answered(reply: Reply, work: Option<WorkEvent>) -> Outcome {
    let decision = Decision { word: DecisionWord::Allow, work, ..of_the_gateway() };
    Outcome { verdict: Verdict::Respond(Box::new(reply)), decision }
}

fn document(body: &serde_json::Value) -> Reply {
    let headers = vec![
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Reply { status: StatusCode::OK, headers, body: body.to_string().into() }
}
