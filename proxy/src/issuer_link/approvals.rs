//! Passports of approved logins on their way from the event stream to the site they are for.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use passport::{Expected, LoginPassport, LoginRequestId, Refusal, SiteId, verify};

use super::Link;
use super::events::Approved;
use crate::account::Account;
use crate::clock::now;

/// How far the issuer's clock and ours may differ.
const LEEWAY: Duration = Duration::from_secs(30);

/// Passports that wait for a key set which knows their key; more at once come again with the next stream.
const WAITING_MAX: usize = 64;

#[derive(Debug)]
pub(super) struct Approvals<'a> {
    link: &'a Link,
    waiting: VecDeque<Approved>,
}

impl<'a> Approvals<'a> {
    pub(super) const fn new(link: &'a Link) -> Self {
        Self { link, waiting: VecDeque::new() }
    }

    /// Gives a passport that counts to the site it is for.
    pub(super) fn take(&mut self, approved: Approved) {
        let Some(login) = self.account(&approved.site_id).and_then(|account| account.login.as_ref()) else {
            return self.refused(&approved, "it is for no site of ours that has logins");
        };
        let issuer = &self.link.issuer;
        let expected = Expected { issuer: issuer.url().as_str(), recipient: approved.site_id.as_str(), leeway: LEEWAY };
        match verify::<LoginPassport>(&approved.agent_passport_jwt, &issuer.view().keys, &expected, now()) {
            Ok(passport) if passport.request_id == approved.login_request_id => login.approved(passport, now()),
            Ok(_) => self.refused(&approved, "it is for another request"),
            Err(Refusal::UnknownKey) if self.waiting.len() < WAITING_MAX => {
                issuer.keys_wanted.notify_one();
                self.waiting.push_back(approved);
            }
            Err(refusal) => self.refused(&approved, refusal.code()),
        }
    }

    /// There is another key set.
    pub(super) fn retry(&mut self) {
        for approved in std::mem::take(&mut self.waiting) {
            self.take(approved);
        }
    }

    /// Nobody approved it in time.
    pub(super) fn expired(&self, request: &LoginRequestId, site: &SiteId) {
        if let Some(login) = self.account(site).and_then(|account| account.login.as_ref()) {
            login.expired(request, now());
        }
    }

    fn account(&self, id: &SiteId) -> Option<&'a Account> {
        let has_id = |account: &&Arc<Account>| account.id.load().as_deref() == Some(id);
        self.link.accounts.iter().find(has_id).map(Arc::as_ref)
    }

    fn refused(&self, approved: &Approved, why: &str) {
        let issuer = self.link.issuer.url();
        tracing::warn!(%issuer, request = %approved.login_request_id, why, "a login passport was refused");
    }
}
