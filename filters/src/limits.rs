//! The limits of a site: which of them a request is counted against, and what is said about it.

use std::collections::hash_map::DefaultHasher;
use std::fmt::Write as _;
use std::hash::{Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use arrayvec::ArrayString;
use config::{Limit, LimitPer, McpRule, Policy, Site};
use http::{HeaderName, HeaderValue};

use crate::limiter::{Allowance, Granted, Limiter};
use crate::network::Network;
use crate::{Identity, Request};

/// What is left of a limit (draft-ietf-httpapi-ratelimit-headers-10).
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
/// What the limit is.
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// All limits of a site, each with a number that stays the same over a reload.
#[derive(Debug)]
pub(crate) struct Limits {
    of_site: Vec<Numbered>,
    of_policies: Vec<(Arc<Policy>, Vec<Numbered>)>,
}

/// A limit, and what tells it from all others of the process.
#[derive(Debug)]
struct Numbered {
    number: u64,
    limit: Limit,
    /// The value of `RateLimit-Policy`.
    policy: HeaderValue,
}

/// The limit that came nearest to being reached, or that was.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Met<'a> {
    of: &'a Numbered,
    pub(crate) allowance: Allowance,
}

/// Longest state of a limit: a name, the longest of two numbers, and what stands between.
const STATE_BYTES_MAX: usize = 64;

impl Limits {
    pub(crate) fn new(site: &Site) -> Self {
        let numbered = |scope: &str, limits: &[Limit]| {
            let number = |limit: &Limit| {
                let mut hasher = DefaultHasher::new();
                (site.url.as_str(), scope, limit).hash(&mut hasher);
                Numbered { number: hasher.finish(), limit: limit.clone(), policy: policy(limit) }
            };
            limits.iter().map(number).collect()
        };
        let mut of_policies: Vec<(Arc<Policy>, Vec<Numbered>)> = Vec::new();
        for policy in site.policies().filter(|policy| !policy.limits.is_empty()) {
            if !of_policies.iter().any(|(known, _)| Arc::ptr_eq(known, policy)) {
                let scope = format!("policy {}", policy.name);
                of_policies.push((Arc::clone(policy), numbered(&scope, &policy.limits)));
            }
        }
        Self { of_site: numbered("site", &site.limits), of_policies }
    }

    /// Counts a request against each limit that is for it, until one is reached. `None` when none is for it.
    pub(crate) fn take(
        &self,
        limiter: &Limiter,
        policy: &Arc<Policy>,
        request: &Request<'_>,
        identity: Option<&Identity>,
        elapsed: Duration,
    ) -> Option<Met<'_>> {
        count(self.of_policy(policy).chain(&self.of_site), 0, limiter, request, identity, elapsed)
    }

    /// The same for a call against those of its policy alone, where the request was counted against those of the site
    /// before. Each rule counts by itself, also where several have one policy.
    pub(crate) fn take_of_policy(
        &self,
        limiter: &Limiter,
        (policy, rule): (&Arc<Policy>, Option<&McpRule>),
        request: &Request<'_>,
        identity: Option<&Identity>,
        elapsed: Duration,
    ) -> Option<Met<'_>> {
        let of_rule = rule.map_or(0, |rule| {
            let mut hasher = DefaultHasher::new();
            (rule.kind, rule.pattern.to_string()).hash(&mut hasher);
            hasher.finish()
        });
        count(self.of_policy(policy), of_rule, limiter, request, identity, elapsed)
    }

    fn of_policy(&self, policy: &Arc<Policy>) -> impl Iterator<Item = &Numbered> {
        let of_policy = self.of_policies.iter().find(|(known, _)| Arc::ptr_eq(known, policy));
        of_policy.into_iter().flat_map(|(_, limits)| limits)
    }
}

/// `of_rule` is added to the number of each limit.
fn count<'l>(
    limits: impl Iterator<Item = &'l Numbered>,
    of_rule: u64,
    limiter: &Limiter,
    request: &Request<'_>,
    identity: Option<&Identity>,
    elapsed: Duration,
) -> Option<Met<'l>> {
    let mut nearest: Option<Met<'_>> = None;
    for of in limits {
        let (number, limit) = (of.number.wrapping_add(of_rule), &of.limit);
        let allowance = match (limit.per, identity, request.client) {
            (LimitPer::Site, _, _) => limiter.take(number, b"", limit, elapsed),
            (LimitPer::Agent, Some(identity), _) => {
                limiter.take(at_issuer(number, identity), identity.agent.as_str().as_bytes(), limit, elapsed)
            }
            (LimitPer::Owner, Some(identity), _) => match &identity.owner {
                Some(owner) => limiter.take(at_issuer(number, identity), owner.as_str().as_bytes(), limit, elapsed),
                None => continue,
            },
            (LimitPer::Client, _, Some(client)) => {
                limiter.take(number, Network::narrow(client).as_bytes(), limit, elapsed)
            }
            (LimitPer::Agent | LimitPer::Owner, None, _) | (LimitPer::Client, _, None) => continue,
        };
        let met = Met { of, allowance };
        if let Granted::No { .. } = allowance.granted {
            return Some(met);
        }
        if nearest.is_none_or(|nearest| allowance.left < nearest.allowance.left) {
            nearest = Some(met);
        }
    }
    nearest
}

/// The number of a limit among those whom one issuer names: another's may be called the same, and must not use up theirs.
fn at_issuer(number: u64, identity: &Identity) -> u64 {
    number.wrapping_add(u64::try_from(identity.issuer).unwrap_or_default())
}

impl Met<'_> {
    /// `RateLimit` and `RateLimit-Policy`. Seconds are whole, and rounded up.
    pub(crate) fn headers(&self) -> [(HeaderName, HeaderValue); 2] {
        let (name, left) = (self.of.limit.per.as_str(), self.allowance.left);
        let mut state = ArrayString::<STATE_BYTES_MAX>::new();
        // It fits: the numbers have 20 digits at most.
        let written = write!(state, "\"{name}\";r={left};t={}", whole_seconds(self.allowance.full_after));
        debug_assert!(written.is_ok());
        [(RATE_LIMIT_POLICY, self.of.policy.clone()), (RATE_LIMIT, value(&state))]
    }
}

fn policy(limit: &Limit) -> HeaderValue {
    let Limit { per, rate, burst } = limit;
    value(&format!("\"{}\";q={};w={};burst={burst}", per.as_str(), rate.count, rate.period.as_secs()))
}

/// All that is said of limits is ASCII.
fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("?0"))
}

/// Rounded up, at least 1: who comes back in the same second is refused again.
pub(crate) fn whole_seconds(duration: Duration) -> u64 {
    (duration.as_secs() + u64::from(duration.subsec_nanos() > 0)).max(1)
}
