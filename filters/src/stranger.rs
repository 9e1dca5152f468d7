//! What becomes of somebody without an identity where work is asked for.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};
use std::net::IpAddr;
use std::time::Duration;

use config::{Challenge, Crawlers, Limit, LimitPer, Policy, Rate, Site, Weighed};
use http::header::{ACCEPT, REFERER, SET_COOKIE, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use pow::Puzzles;

use crate::challenge::{Bound, Challenger, Cleared, Earned, Granted, Made, Proof, ProofRefusal, Stranger};
use crate::cookie::{Kept, Names};
use crate::crawler::{Crawler, CrawlerVerdict, CrawlerVerdicts};
use crate::credential::{Shown, Work};
use crate::limiter::{Granted as Within, Limiter};
use crate::network::Network;
use crate::{Accepts, Reason, Request, path};

/// `Lime-Clearance`: what a program gets for its work.
pub(crate) const CLEARANCE: HeaderName = HeaderName::from_static("lime-clearance");

/// `Lime-Puzzles: 1` asks for one puzzle in place of sixteen.
pub const PUZZLES: HeaderName = HeaderName::from_static("lime-puzzles");

const FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const FETCH_USER: HeaderName = HeaderName::from_static("sec-fetch-user");

/// What nobody is asked for work for, exactly: robots are told where they may go, and certificates renewed.
const ALWAYS_OPEN: [&[u8]; 4] = [b"/robots.txt", b"/favicon.ico", b"/sitemap.xml", b"/.well-known/security.txt"];
const ACME: &[u8] = b"/.well-known/acme-challenge/";

/// Most who wait of one network, and in how long: waiting costs nothing.
const PATIENT_MAX: u32 = 30;
const PATIENT_PERIOD: Duration = Duration::from_mins(10);

/// Longest that anybody waits for what a surcharge adds.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// What strangers are judged with.
#[derive(Debug)]
pub(crate) struct Strangers<'a> {
    pub(crate) site: &'a Site,
    pub(crate) challenger: &'a Challenger,
    pub(crate) crawlers: &'a CrawlerVerdicts,
    /// What is left of clearances. Only whoever has one gets here, so that nobody else's debt is in the way.
    pub(crate) budgets: &'a Limiter,
    pub(crate) policy: &'a Policy,
    pub(crate) request: &'a Request<'a>,
    pub(crate) stranger: Stranger<'a>,
}

/// Somebody who may go on.
#[derive(Debug)]
pub(crate) enum Passed {
    /// Nothing is asked here, or of him.
    Unasked,
    /// He has done what was asked, now or before.
    Cleared(Option<Granted>),
}

/// Somebody who may not.
#[derive(Debug)]
pub(crate) struct Turned {
    pub(crate) reason: Reason,
    pub(crate) refusal: Option<ProofRefusal>,
    /// What he may do about it.
    pub(crate) task: Option<Asked>,
    /// Who says that he is a crawler, where that is to be looked up.
    pub(crate) claim: Option<(IpAddr, &'static Crawler)>,
}

/// Work that is asked for, of which no challenge is made yet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    bits: u8,
    bound: Bound,
    form: Form,
    /// Whether he waits already.
    waits_already: bool,
}

/// In which form somebody is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A page that works by itself.
    Page,
    /// A document for a program.
    Program,
}

impl Form {
    /// The word in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Program => "program",
        }
    }

    /// A page is for what a browser shows as one (Fetch Metadata, else `Accept`).
    fn of(request: &Request<'_>) -> Self {
        let is_read = *request.method == Method::GET || *request.method == Method::HEAD;
        let is_document = match request.headers.get(FETCH_DEST) {
            Some(destination) => destination == "document",
            None => request.headers.contains_key(ACCEPT) && Accepts::of(request.headers) == Accepts::Html,
        };
        if is_read && is_document { Self::Page } else { Self::Program }
    }

    /// Whether a browser is about to show the answer as a page.
    pub(crate) fn is_shown(headers: &HeaderMap) -> bool {
        headers.get(FETCH_DEST).is_some_and(|destination| destination == "document")
    }

    const fn bits_max(self) -> u8 {
        match self {
            Self::Page => Challenge::BROWSER_BITS_MAX,
            Self::Program => Challenge::PROGRAM_BITS_MAX,
        }
    }
}

impl Strangers<'_> {
    /// Whether somebody may go on, who showed this.
    pub(crate) fn judge(&self, shown: &Shown<'_>) -> Result<Passed, Turned> {
        if self.is_always_open() {
            return Ok(Passed::Unasked);
        }
        let challenge = &self.policy.challenge;
        let weight = self.weight();
        if challenge.open_under > 0 && weight < i32::from(challenge.open_under) {
            return Ok(Passed::Unasked);
        }
        if challenge.refuse_over.is_some_and(|most| weight > i32::from(most)) {
            return Err(Turned { reason: Reason::StrangerDenied, refusal: None, task: None, claim: None });
        }
        if challenge.crawlers == Crawlers::Verify
            && let Some(crawler) = Crawler::claimed(self.request.headers)
        {
            return self.judge_crawler(crawler);
        }
        let bits = u8::try_from(weight.max(1)).unwrap_or(u8::MAX);
        let form = Form::of(self.request);
        let asked = Asked { bits, bound: Bound::Network, form, waits_already: false };
        match self.judge_work(shown, bits) {
            Some(Ok(granted)) => Ok(Passed::Cleared(granted)),
            Some(Err((reason, refusal))) => {
                let bound = if refusal == ProofRefusal::OtherNetwork { Bound::Nowhere } else { Bound::Network };
                let waits_already = refusal == ProofRefusal::TooEarly;
                let task = Some(Asked { bound, waits_already, ..asked });
                Err(Turned { reason, refusal: Some(refusal), task, claim: None })
            }
            None => Err(Turned { reason: Reason::ClearanceRequired, refusal: None, task: Some(asked), claim: None }),
        }
    }

    /// The bits that are asked for, by the policy and its weights.
    pub(crate) fn weight(&self) -> i32 {
        let Request { path, headers, client, .. } = *self.request;
        let challenge = &self.policy.challenge;
        if challenge.weights.is_empty() {
            return i32::from(challenge.bits);
        }
        // As servers may read the path, the one that weighs most counts: an encoded letter makes nothing lighter.
        // One that has no readings was refused before.
        let readings = path::readings(path).unwrap_or_else(|_| vec![path.to_vec()]);
        let weights = readings.iter().map(|path| challenge.weights.of(&Weighed { path, headers, client }));
        i32::from(challenge.bits).saturating_add(weights.max().unwrap_or_default())
    }

    fn is_always_open(&self) -> bool {
        let Request { method, path, .. } = *self.request;
        let is_read = *method == Method::GET || *method == Method::HEAD;
        let is_logo = self.site.page.logo.as_ref().is_some_and(|logo| logo.as_bytes() == path);
        is_read && (is_logo || ALWAYS_OPEN.contains(&path) || path.strip_prefix(ACME).is_some_and(is_one_segment))
    }

    fn judge_crawler(&self, crawler: &'static Crawler) -> Result<Passed, Turned> {
        let client = self.request.client;
        let claim = match client.map(|client| (client, self.crawlers.of(client, crawler))) {
            Some((_, Some(CrawlerVerdict::Confirmed))) => return Ok(Passed::Unasked),
            Some((_, Some(CrawlerVerdict::Unconfirmed | CrawlerVerdict::NoAnswer))) | None => None,
            Some((client, None)) => Some((client, crawler)),
        };
        Err(Turned { reason: Reason::CrawlerUnconfirmed, refusal: None, task: None, claim })
    }

    /// `None` where no work was shown.
    fn judge_work(&self, shown: &Shown<'_>, bits: u8) -> Option<Result<Option<Granted>, (Reason, ProofRefusal)>> {
        let refused = |refusal| (Reason::SolutionRefused, refusal);
        match (shown.work, shown.clearance, shown.ticket) {
            (Some(Work::Proof(proof)), _, _) => Some(self.redeem(&proof, bits).map(Some).map_err(refused)),
            (Some(Work::Malformed), _, _) => Some(Err(refused(ProofRefusal::Malformed))),
            (Some(Work::Clearance(text)), _, _) => Some(self.admit(text, bits).map(|()| None)),
            (None, Some(text), ticket) => match (self.admit(text, bits), ticket) {
                (Ok(()), _) => Some(Ok(None)),
                (Err(_), Some(ticket)) => Some(self.redeem_ticket(ticket, bits)),
                (Err(refusal), None) => Some(Err(refusal)),
            },
            (None, None, Some(ticket)) => Some(self.redeem_ticket(ticket, bits)),
            (None, None, None) => None,
        }
    }

    fn redeem(&self, proof: &Proof<'_>, bits: u8) -> Result<Granted, ProofRefusal> {
        let policies = self.site.policies().map(|policy| &**policy);
        let bits_min = bits.min(Challenge::BROWSER_BITS_MAX);
        let granted = self.challenger.redeem(proof, &self.stranger, policies, bits_min)?;
        self.spend(&granted.cleared, bits)?;
        Ok(granted)
    }

    fn redeem_ticket(&self, ticket: &str, bits: u8) -> Result<Option<Granted>, (Reason, ProofRefusal)> {
        let refused = |refusal| (Reason::ClearanceRequired, refusal);
        if let Some(client) = self.request.client {
            let rate = Rate { count: PATIENT_MAX, period: PATIENT_PERIOD };
            let limit = Limit { per: LimitPer::Client, rate, burst: PATIENT_MAX };
            let network = Network::wide(client);
            if self.budgets.take(0, network.as_bytes(), &limit, self.stranger.elapsed).granted != Within::Yes {
                return Err(refused(ProofRefusal::TooMany));
            }
        }
        let proof = Proof { challenge: ticket, nonces: "" };
        self.redeem(&proof, bits).map(Some).map_err(refused)
    }

    fn admit(&self, text: &str, bits: u8) -> Result<(), (Reason, ProofRefusal)> {
        let admitted = self.challenger.admit(text, &self.stranger);
        admitted.and_then(|cleared| self.spend(&cleared, bits)).map_err(|refusal| (Reason::ClearanceRequired, refusal))
    }

    /// Takes a request off a clearance.
    fn spend(&self, cleared: &Cleared, bits: u8) -> Result<(), ProofRefusal> {
        // No browser could do more.
        let challenge = &self.policy.challenge;
        let is_patience = cleared.earned == Earned::Patience && challenge.wait.is_none();
        if cleared.bits < bits.min(Challenge::BROWSER_BITS_MAX) || is_patience {
            return Err(ProofRefusal::NotEnough);
        }
        let requests = cleared.requests(challenge);
        let rate = Rate { count: requests, period: challenge.lifetime };
        let limit = Limit { per: LimitPer::Client, rate, burst: requests };
        // Each policy counts for itself: what it lets through is its own affair.
        let mut hasher = DefaultHasher::new();
        self.policy.name.hash(&mut hasher);
        match self.budgets.take(hasher.finish(), &cleared.sid, &limit, self.stranger.elapsed).granted {
            Within::Yes => Ok(()),
            Within::No { .. } => Err(ProofRefusal::UsedUp),
        }
    }

    /// What is asked of a page whose work did not count, or that asks for more of it.
    pub(crate) fn asked_again(&self, refused: Option<ProofRefusal>) -> Asked {
        let bits = u8::try_from(self.weight().max(1)).unwrap_or(u8::MAX).min(Challenge::BROWSER_BITS_MAX);
        let bound = if refused == Some(ProofRefusal::OtherNetwork) { Bound::Nowhere } else { Bound::Network };
        let is_browser = self.request.headers.contains_key(FETCH_SITE);
        let form = if is_browser { Form::Page } else { Form::Program };
        Asked { bits, bound, form, waits_already: false }
    }

    /// Makes the challenge that was asked for.
    pub(crate) fn set(&self, asked: &Asked) -> Made {
        let puzzles = match (asked.form, self.request.headers.get(PUZZLES)) {
            (Form::Program, Some(count)) if count == "1" => Puzzles::One,
            _ => Puzzles::Sixteen,
        };
        let bits = (asked.bits, asked.form.bits_max());
        self.challenger.set_work(&self.stranger, self.policy, bits, puzzles, asked.bound)
    }

    /// How long one waits who cannot work; the longer, the more a network solves.
    fn wait(&self) -> Option<Duration> {
        let wait = self.policy.challenge.wait?;
        Some(wait.saturating_mul(1 << self.challenger.surcharge(&self.stranger)).min(WAIT_MAX.max(wait)))
    }

    /// The cookie of one who waits, and how many seconds he does; no cookie for one who waits already.
    pub(crate) fn set_wait(&self, asked: &Asked) -> Option<(u64, Option<HeaderValue>)> {
        let wait = self.wait()?;
        // A second more, so that who comes back is not a moment too early.
        let seconds = wait.as_secs() + 1;
        if asked.waits_already {
            return Some((seconds, None));
        }
        let ticket = self.challenger.set_wait(&self.stranger, self.policy, asked.bits, wait, asked.bound);
        let lives = wait + Duration::from_mins(2);
        Some((seconds, Names::at(self.site).set(Kept::Ticket, &ticket, lives)))
    }

    /// Whether a page has loaded itself and comes back without the cookie it was given: it would do so for ever.
    pub(crate) fn comes_back_empty(&self, shown: &Shown<'_>) -> bool {
        let headers = self.request.headers;
        let by_itself = match (headers.get(FETCH_SITE), headers.get(FETCH_USER)) {
            (Some(site), None) => site == "same-origin",
            (Some(_), Some(_)) => false,
            // An old browser says where it comes from, and that is this very page.
            (None, _) => headers.get(REFERER).is_some_and(|from| self.is_this_page(from.as_bytes())),
        };
        by_itself && shown.ticket.is_none() && shown.clearance.is_none()
    }

    fn is_this_page(&self, url: &[u8]) -> bool {
        let rest = url.windows(3).position(|part| part == b"://").and_then(|at| url.get(at + 3..)).unwrap_or_default();
        let path = rest.iter().position(|byte| *byte == b'/').and_then(|at| rest.get(at..)).unwrap_or_default();
        path.split(|byte| *byte == b'?').next() == Some(self.request.path)
    }
}

impl Asked {
    pub(crate) const fn form(&self) -> Form {
        self.form
    }
}

impl Granted {
    /// What is sent with the answer: a program keeps the header; a browser the cookie, which its scripts cannot see.
    pub(crate) fn headers(&self, site: &Site, headers: &HeaderMap) -> Vec<(HeaderName, HeaderValue)> {
        let names = Names::at(site);
        let mut sent = Vec::new();
        let is_browser = headers.contains_key(FETCH_SITE) || headers.contains_key(FETCH_DEST);
        if let (false, Ok(text)) = (is_browser, HeaderValue::from_str(&self.text)) {
            sent.push((CLEARANCE, text));
        }
        let cookie = names.set(Kept::Clearance, &self.text, self.lives);
        sent.extend(cookie.map(|cookie| (SET_COOKIE, cookie)));
        if headers
            .get_all(http::header::COOKIE)
            .iter()
            .any(|line| names.values(Kept::Ticket, line.as_bytes()).next().is_some())
        {
            sent.extend(names.set(Kept::Ticket, "", Duration::ZERO).map(|cookie| (SET_COOKIE, cookie)));
        }
        sent
    }
}

/// `PoW challenge="…", bits=16, puzzles=16, expires_in=120`.
pub(crate) fn authenticate(made: &Made) -> Option<(HeaderName, HeaderValue)> {
    let Made { text, bits, puzzles, lifetime } = made;
    let (puzzles, seconds) = (puzzles.count(), lifetime.as_secs());
    let value = format!("PoW challenge=\"{text}\", bits={bits}, puzzles={puzzles}, expires_in={seconds}");
    HeaderValue::from_str(&value).ok().map(|value| (WWW_AUTHENTICATE, value))
}

/// A token of an ACME challenge (RFC 8555 §8.3).
fn is_one_segment(rest: &[u8]) -> bool {
    !rest.is_empty() && rest.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}
