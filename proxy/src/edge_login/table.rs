//! The logins of one site that are open, and those that came to an end. Everything here has a bound: a stranger may open
//! logins, and an issuer may send passports.

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use passport::{LoginPassport, LoginRequestId, TokenId, UnixTime, Verified};

/// Logins of one network that may be open at a time.
const NETWORK_MAX: usize = 8;

/// Logins of one site that may be open at a time.
const SITE_MAX: usize = 1000;

/// Ended logins that are remembered; the oldest go first.
const ENDED_MAX: usize = 10_000;

/// How long an ended login is remembered: past the time an issuer repeats its passport.
const REMEMBERED_FOR: Duration = Duration::from_mins(15);

/// How long a session is handed out again.
const REPEATED_FOR: Duration = Duration::from_secs(60);

/// Those who, for all we know, are one: what one customer of a provider is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Network(IpNet);

impl Network {
    pub(super) fn of(client: IpAddr) -> Self {
        let bits = if client.is_ipv4() { 24 } else { 56 };
        Self(IpNet::new(client, bits).map_or_else(|_| client.into(), |network| network.trunc()))
    }
}

#[derive(Debug, Default)]
pub(super) struct Table {
    open: HashMap<LoginRequestId, Open>,
    /// Open logins, and those that are just being opened.
    by_network: HashMap<Network, usize>,
    being_opened: usize,
    ended: HashMap<LoginRequestId, Ended>,
    /// The keys of `ended` in the order they came.
    order: VecDeque<(UnixTime, LoginRequestId)>,
    /// Passports that were taken. One of a name counts once.
    taken: HashSet<TokenId>,
}

#[derive(Debug)]
struct Open {
    network: Option<Network>,
    expires_at: UnixTime,
}

#[derive(Debug)]
enum Ended {
    Approved(Box<Verified<LoginPassport>>),
    HandedOut { text: String, expires_at: UnixTime, until: UnixTime, token: TokenId },
    Expired,
}

/// What is known of a login.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    Nothing,
    Session {
        text: String,
        expires_at: UnixTime,
    },
    Over,
    /// The session could not be made.
    Failed,
}

impl Table {
    /// Room for one more. To be followed by [`opened`](Self::opened) or [`release`](Self::release).
    pub(super) fn reserve(&mut self, network: Option<Network>, now: UnixTime) -> bool {
        let over: Vec<_> =
            self.open.iter().filter(|(_, open)| open.expires_at <= now).map(|(id, _)| id.clone()).collect();
        for request in over {
            self.close(&request);
        }
        let of_network = network.and_then(|network| self.by_network.get(&network)).copied().unwrap_or_default();
        if self.open.len() + self.being_opened >= SITE_MAX || of_network >= NETWORK_MAX {
            return false;
        }
        self.being_opened += 1;
        if let Some(network) = network {
            *self.by_network.entry(network).or_default() += 1;
        }
        true
    }

    pub(super) fn release(&mut self, network: Option<Network>) {
        self.being_opened = self.being_opened.saturating_sub(1);
        self.leave(network);
    }

    pub(super) fn opened(&mut self, request: LoginRequestId, network: Option<Network>, expires_at: UnixTime) {
        self.being_opened = self.being_opened.saturating_sub(1);
        // An agent may have approved it before the issuer's answer was read.
        if self.ended.contains_key(&request) {
            self.leave(network);
        } else if let Some(before) = self.open.insert(request, Open { network, expires_at }) {
            self.leave(before.network);
        }
    }

    fn close(&mut self, request: &LoginRequestId) {
        if let Some(open) = self.open.remove(request) {
            self.leave(open.network);
        }
    }

    fn leave(&mut self, network: Option<Network>) {
        let Some(network) = network else { return };
        if let Some(count) = self.by_network.get_mut(&network) {
            *count -= 1;
            if *count == 0 {
                self.by_network.remove(&network);
            }
        }
    }

    /// A passport came. One for a login that has one, or of a name that was taken, changes nothing.
    pub(super) fn approved(&mut self, passport: Verified<LoginPassport>, now: UnixTime) {
        let request = passport.request_id.clone();
        if self.ended.contains_key(&request) || !self.taken.insert(passport.jti.clone()) {
            return;
        }
        self.end(request, Ended::Approved(Box::new(passport)), now);
    }

    pub(super) fn expired(&mut self, request: &LoginRequestId, now: UnixTime) {
        if !self.ended.contains_key(request) {
            self.end(request.clone(), Ended::Expired, now);
        }
    }

    fn end(&mut self, request: LoginRequestId, ended: Ended, now: UnixTime) {
        self.close(&request);
        while let Some((since, oldest)) = self.order.front()
            && (self.order.len() >= ENDED_MAX || now.since(*since) > REMEMBERED_FOR)
        {
            match self.ended.remove(oldest) {
                Some(Ended::Approved(passport)) => self.taken.remove(&passport.jti),
                Some(Ended::HandedOut { token, .. }) => self.taken.remove(&token),
                Some(Ended::Expired) | None => false,
            };
            self.order.pop_front();
        }
        self.order.push_back((now, request.clone()));
        self.ended.insert(request, ended);
    }

    /// What came of a login. `begin` makes the session out of the passport, once.
    pub(super) fn find(
        &mut self,
        request: &LoginRequestId,
        now: UnixTime,
        begin: impl FnOnce(&Verified<LoginPassport>) -> Option<(String, UnixTime)>,
    ) -> Found {
        match self.ended.get_mut(request) {
            None => Found::Nothing,
            Some(Ended::Expired) => Found::Over,
            Some(Ended::HandedOut { until, .. }) if *until <= now => Found::Over,
            Some(Ended::HandedOut { text, expires_at, .. }) => {
                Found::Session { text: text.clone(), expires_at: *expires_at }
            }
            Some(ended @ Ended::Approved(_)) => {
                let Ended::Approved(passport) = &*ended else { return Found::Failed };
                let Some((text, expires_at)) = begin(passport) else { return Found::Failed };
                let token = passport.jti.clone();
                *ended = Ended::HandedOut { text: text.clone(), expires_at, until: now.plus(REPEATED_FOR), token };
                Found::Session { text, expires_at }
            }
        }
    }
}

#[cfg(test)]
mod tests;
