//! What is known at the moment of a request: the time, and what the issuer has told so far.

use std::sync::Arc;
use std::time::Duration;

use passport::{KeySet, SiteId, UnixTime};

use crate::Revocations;

/// What is known at this moment.
#[derive(Clone, Copy, Debug)]
pub struct Moment<'a> {
    /// The time.
    pub now: UnixTime,
    /// The time that has passed since some moment, by a clock that nobody sets: for limits.
    pub elapsed: Duration,
    /// What is known of each of the site's issuers, in their order.
    pub issuers: &'a [IssuerMoment<'a>],
}

/// What is known of one issuer of a site at this moment.
#[derive(Clone, Copy, Debug)]
pub struct IssuerMoment<'a> {
    /// What it has told; `None` while it was never reached and nothing was stored.
    pub view: Option<&'a IssuerView>,
    /// The id of the site there, once that is known.
    pub site_id: Option<&'a SiteId>,
}

/// What an issuer has told. Never changes: swap it whole.
#[derive(Clone, Debug)]
pub struct IssuerView {
    /// The keys it signs with, without those it revoked.
    pub keys: KeySet,
    /// Another one for each other key set: verdicts of an earlier one are judged again.
    pub generation: u64,
    /// Whose credentials count no longer.
    pub revocations: Arc<Revocations>,
    /// Whether the last attempt to reach it succeeded.
    pub contact: Contact,
    /// When an attempt last succeeded.
    pub last_contact: Option<UnixTime>,
}

/// Whether an issuer can be reached, as far as the last attempt tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contact {
    /// The last attempt succeeded.
    Kept,
    /// It failed, or there never was one.
    Lost,
}

impl<'a> Moment<'a> {
    pub(crate) fn issuer(&self, index: usize) -> IssuerMoment<'a> {
        self.issuers.get(index).copied().unwrap_or(IssuerMoment { view: None, site_id: None })
    }
}

impl IssuerMoment<'_> {
    pub(crate) fn contact(&self) -> Contact {
        self.view.map_or(Contact::Lost, |view| view.contact)
    }

    /// Whether it is unknown who was suspended.
    pub(crate) fn has_lost_revocations(&self) -> bool {
        self.view.is_some_and(|view| view.revocations.is_lost())
    }

    /// Whether more time than `longest` has passed since the issuer was last heard; so it is when it never was.
    pub(crate) fn is_stale(&self, now: UnixTime, longest: Duration) -> bool {
        let last = self.view.and_then(|view| view.last_contact);
        last.is_none_or(|last| now.since(last) > longest)
    }
}
