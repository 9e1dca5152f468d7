//! What is decided about a request, whoever carries it: this gateway, or a proxy that asks it.

use std::sync::Arc;

use arrayvec::ArrayVec;
use filters::{Edits, IssuerMoment, Moment, Outcome, Request};
use http::{HeaderMap, Method};

use crate::clock::Timestamp;
use crate::forwarded::Source;
use crate::gate::Gate;
use crate::own_pages::WORK;
use crate::sites::Site;

/// As many as a site may trust.
const ISSUERS_MAX: usize = config::Site::ISSUERS_MAX;

/// A request that is to be judged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) method: &'a Method,
    /// In lower case, without port and final dot.
    pub(crate) host: &'a str,
    /// Byte for byte, without the query.
    pub(crate) path: &'a [u8],
    pub(crate) headers: &'a HeaderMap,
    pub(crate) source: &'a Source,
    pub(crate) request_id: &'a str,
    pub(crate) at: Timestamp,
}

impl Gate {
    /// What the site's chain says of a request now. A key that is not known is asked for, beside the request.
    pub(crate) fn judge(&self, site: &Site, asked: &Asked<'_>, edits: &mut Edits) -> Outcome {
        let Asked { method, host, path, headers, source, request_id, at } = *asked;
        let client = (!source.may_be_a_crowd()).then_some(source.client);
        let request = Request { method, host, path, headers, client, request_id };
        let views: ArrayVec<_, ISSUERS_MAX> =
            site.issuers.iter().take(ISSUERS_MAX).map(|issuer| issuer.view()).collect();
        let account = site.account.as_deref();
        let id = account.map(|account| account.id.load());
        let issuers: ArrayVec<IssuerMoment<'_>, ISSUERS_MAX> = std::iter::zip(&site.issuers, &views)
            .map(|(issuer, view)| {
                let is_its_account = account.is_some_and(|account| Arc::ptr_eq(&account.issuer, issuer));
                let site_id = id.as_ref().filter(|_| is_its_account).and_then(|id| id.as_deref());
                IssuerMoment { view: Some(&***view), site_id }
            })
            .collect();
        let moment = Moment { now: at.secs(), elapsed: self.shared().started.elapsed(), issuers: &issuers };
        let outcome = if path == WORK.as_bytes() {
            site.chain.work(&request, &moment)
        } else {
            site.chain.run(&request, site.mode.now(), &moment, edits)
        };
        if let Some((client, crawler)) = outcome.decision.claim {
            self.shared().crawlers.look_up(client, crawler);
        }
        if let Some(issuer) = outcome.decision.wants_keys_of().and_then(|issuer| site.issuers.get(issuer)) {
            issuer.metrics.unknown_kid.inc();
            issuer.keys_wanted.notify_one();
        }
        outcome
    }
}
