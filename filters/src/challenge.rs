//! Work that strangers do: a challenge is made, its solution spent once, and a clearance is what they get for it.
//!
//! Nothing is kept of a challenge that was made: it says itself what it is, under an authenticator. What is kept is which
//! were spent. [`Challenger::redeem`] and [`Challenger::admit`] are the only makers of a [`Cleared`].

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use config::{Challenge, Policy};
use passport::UnixTime;
use pow::{Difficulty, Puzzles};
use sha2::{Digest as _, Sha256};

use crate::network::Network;

mod keys;
mod layout;
mod proof;
mod solves;
mod spent;

pub use keys::ChallengeKeys;
pub use layout::Earned;
pub(crate) use layout::{CHALLENGE_PREFIX, CLEARANCE_PREFIX};
use layout::{Grant, Scope, Task, Terms};
pub use proof::Proof;
pub use proof::ProofRefusal;
pub(crate) use proof::{Shown, read};
use solves::Solves;
use spent::{Spending, Spent};

/// How long a challenge lives: a phone in a pocket is given time, and what was spent is remembered no longer.
const LIFETIME: Duration = Duration::from_secs(120);

/// The same while much is to be remembered.
const LIFETIME_UNDER_PRESSURE: Duration = Duration::from_secs(30);

/// Clocks of nodes that share a secret differ by this much at most.
const CLOCKS_DIFFER: Duration = Duration::from_secs(5);

/// Whoever waited is let in for a while as long as this at most, and for a quarter of the requests: waiting costs nothing.
const PATIENCE_LIFETIME: Duration = Duration::from_mins(15);

/// What challenges are made and judged with. One for a process.
#[derive(Debug)]
pub struct Challenger {
    keys: ChallengeKeys,
    spent: Spent,
    solves: Solves,
    /// Tells the challenges of this process from those of others.
    process: [u8; 8],
    count: AtomicU64,
    /// When this process began. What others made before may have been spent, and nobody here would know.
    began: UnixTime,
    fleet: Fleet,
}

/// Whether others share the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fleet {
    /// Nobody does now: what another process made was made before.
    Alone,
    /// Others do, and make challenges too.
    Shared,
}

/// Who asks, and for what.
#[derive(Clone, Copy, Debug)]
pub struct Stranger<'a> {
    /// In lower case, without the port.
    pub host: &'a str,
    /// Where from; `None` where that says nothing.
    pub client: Option<IpAddr>,
    /// The time.
    pub now: UnixTime,
    /// The time by a clock that nobody sets.
    pub elapsed: Duration,
}

/// A challenge that was made.
#[derive(Clone, Debug)]
pub struct Made {
    /// What is to be solved.
    pub text: String,
    /// Of all puzzles together.
    pub bits: u8,
    /// Into how many it is cut.
    pub puzzles: Puzzles,
    /// How long it counts.
    pub lifetime: Duration,
}

/// For whom a challenge counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// The network that asks.
    Network,
    /// Any: whoever changes between two networks would be asked for ever.
    Nowhere,
}

/// Somebody who did what was asked. Only verification makes one.
#[derive(Clone, Debug)]
pub struct Cleared {
    /// Which clearance, for its budget.
    pub sid: [u8; 16],
    /// How much was done for it.
    pub bits: u8,
    /// How.
    pub earned: Earned,
}

/// A clearance that was just earned.
#[derive(Clone, Debug)]
pub struct Granted {
    /// What it is.
    pub cleared: Cleared,
    /// What is sent with every request.
    pub text: String,
    /// How long it counts.
    pub lives: Duration,
    /// How many requests it is good for, where the challenge was set.
    pub requests: u32,
    /// From the challenge to its solution.
    pub took: Duration,
}

impl Challenger {
    /// `process` must be random; `began` is when the process did.
    #[must_use]
    pub fn new(keys: ChallengeKeys, process: [u8; 8], began: UnixTime, fleet: Fleet) -> Self {
        Self { keys, spent: Spent::new(), solves: Solves::new(), process, count: AtomicU64::new(0), began, fleet }
    }

    /// The time, as long after the beginning as the process has run: whoever sets the clock meanwhile changes nothing.
    pub(crate) const fn time(&self, elapsed: Duration) -> UnixTime {
        self.began.plus(elapsed)
    }

    /// Makes a challenge to work. `bits` are those of the policy and its weights; what comes on top is added here, up to
    /// `bits_max`.
    #[must_use]
    pub fn set_work(
        &self,
        stranger: &Stranger<'_>,
        policy: &Policy,
        (bits, bits_max): (u8, u8),
        puzzles: Puzzles,
        bound: Bound,
    ) -> Made {
        let bits = bits.saturating_add(self.surcharge(stranger)).saturating_add(match bound {
            Bound::Network => 0,
            Bound::Nowhere => 2,
        });
        let bits = bits.min(bits_max);
        let lifetime = if self.spent.fullness() < 50 { LIFETIME } else { LIFETIME_UNDER_PRESSURE };
        let text = self.seal(Task::Work(puzzles), stranger, policy, bits, lifetime, bound);
        Made { text, bits, puzzles, lifetime }
    }

    /// Makes a challenge to wait, for those who cannot work.
    pub(crate) fn set_wait(
        &self,
        stranger: &Stranger<'_>,
        policy: &Policy,
        bits: u8,
        wait: Duration,
        bound: Bound,
    ) -> String {
        let seconds = u32::try_from(wait.as_secs()).unwrap_or(u32::MAX);
        self.seal(Task::Wait(seconds), stranger, policy, bits, wait + LIFETIME, bound)
    }

    /// Bits on top of what a policy asks: for a network from which many solutions came, and for all while there is much to
    /// remember.
    pub(crate) fn surcharge(&self, stranger: &Stranger<'_>) -> u8 {
        let of_network =
            stranger.client.map_or(0, |client| self.solves.surcharge(Network::wide(client), stranger.elapsed));
        let of_all = match self.spent.fullness() {
            0..50 => 0,
            50..75 => 1,
            75..90 => 2,
            _ => 4,
        };
        of_network + of_all
    }

    fn seal(
        &self,
        task: Task,
        stranger: &Stranger<'_>,
        policy: &Policy,
        bits: u8,
        lifetime: Duration,
        bound: Bound,
    ) -> String {
        let keys = self.keys.current();
        let count = self.count.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        let mut salt = [0; 16];
        for (place, byte) in salt.iter_mut().zip(self.process.into_iter().chain(count)) {
            *place = byte;
        }
        let terms = Terms {
            task,
            bits,
            issued_at: stranger.now,
            lifetime_seconds: u16::try_from(lifetime.as_secs()).unwrap_or(u16::MAX),
            salt,
            scope: scope(stranger.host, Some(policy)),
            bind: keys.bind(stranger.client.filter(|_| bound == Bound::Network)),
        };
        terms.seal(keys)
    }

    /// Judges a proof, what is cheap first, and spends its challenge: that is the last thing that can fail. The challenge
    /// must be one for the host and one of `policies`, of at least `bits_min`.
    ///
    /// # Errors
    /// [`ProofRefusal`].
    pub fn redeem<'p>(
        &self,
        proof: &Proof<'_>,
        stranger: &Stranger<'_>,
        policies: impl Iterator<Item = &'p Policy>,
        bits_min: u8,
    ) -> Result<Granted, ProofRefusal> {
        let (terms, keys) = Terms::open(proof.challenge, &self.keys).ok_or(ProofRefusal::Foreign)?;
        let Stranger { host, client, now, elapsed } = *stranger;
        if terms.issued_at > now.plus(CLOCKS_DIFFER) || terms.ends_at() < now {
            return Err(ProofRefusal::Expired);
        }
        let is_own = terms.salt.starts_with(&self.process);
        let is_from_before = self.fleet == Fleet::Alone || terms.issued_at <= self.began.plus(CLOCKS_DIFFER);
        if !is_own && is_from_before {
            return Err(ProofRefusal::BeforeStart);
        }
        let mut policies = policies.filter(|policy| scope(host, Some(policy)) == terms.scope);
        let policy = policies.next().ok_or(ProofRefusal::OtherPlace)?;
        if terms.bind != keys::UNBOUND && terms.bind != keys.bind(client) {
            return Err(ProofRefusal::OtherNetwork);
        }
        if terms.bits < bits_min {
            return Err(ProofRefusal::NotEnough);
        }
        if self.spent.has(&terms.salt, terms.ends_at()) {
            return Err(ProofRefusal::Spent);
        }
        let earned = judge(&terms, proof, now)?;
        match self.spent.spend(&terms.salt, terms.ends_at(), now) {
            Spending::First => {}
            Spending::Again => return Err(ProofRefusal::Spent),
            Spending::Full => return Err(ProofRefusal::Full),
        }
        if let Some(client) = client {
            self.solves.count(Network::wide(client), elapsed);
        }
        let lives = match earned {
            Earned::Work => policy.challenge.lifetime,
            Earned::Patience => policy.challenge.lifetime.min(PATIENCE_LIFETIME),
        };
        let grant = Grant {
            bits: terms.bits,
            earned,
            expires_at: now.plus(lives),
            sid: terms.salt,
            host: scope(host, None),
            bind: if terms.bind == keys::UNBOUND { keys::UNBOUND } else { self.keys.current().bind(client) },
        };
        let cleared = Cleared { sid: terms.salt, bits: terms.bits, earned };
        let (requests, text) = (cleared.requests(&policy.challenge), grant.seal(self.keys.current()));
        Ok(Granted { cleared, text, lives, requests, took: now.since(terms.issued_at) })
    }

    /// Judges a clearance.
    pub(crate) fn admit(&self, text: &str, stranger: &Stranger<'_>) -> Result<Cleared, ProofRefusal> {
        let (grant, keys) = Grant::open(text, &self.keys).ok_or(ProofRefusal::Foreign)?;
        if grant.expires_at <= stranger.now {
            return Err(ProofRefusal::Expired);
        }
        if grant.host != scope(stranger.host, None) {
            return Err(ProofRefusal::OtherPlace);
        }
        if grant.bind != keys::UNBOUND && grant.bind != keys.bind(stranger.client) {
            return Err(ProofRefusal::OtherNetwork);
        }
        Ok(Cleared { sid: grant.sid, bits: grant.bits, earned: grant.earned })
    }
}

impl Cleared {
    /// How many requests it is good for.
    pub(crate) fn requests(&self, challenge: &Challenge) -> u32 {
        match self.earned {
            Earned::Work => challenge.requests,
            Earned::Patience => challenge.requests.div_ceil(4),
        }
    }
}

fn judge(terms: &Terms, proof: &Proof<'_>, now: UnixTime) -> Result<Earned, ProofRefusal> {
    match terms.task {
        Task::Work(puzzles) => {
            let difficulty = Difficulty::new(terms.bits).ok_or(ProofRefusal::Foreign)?;
            match pow::check_answer(proof.challenge, proof.nonces, difficulty, puzzles) {
                Ok(()) => Ok(Earned::Work),
                Err(pow::Refusal::Malformed) => Err(ProofRefusal::Malformed),
                Err(pow::Refusal::TooFewBits) => Err(ProofRefusal::TooFewBits),
            }
        }
        Task::Wait(seconds) => {
            let is_over = terms.issued_at.plus(Duration::from_secs(seconds.into())) <= now;
            if is_over { Ok(Earned::Patience) } else { Err(ProofRefusal::TooEarly) }
        }
    }
}

/// A host alone, or a policy there. Neither has a NUL.
fn scope(host: &str, policy: Option<&Policy>) -> Scope {
    let mut hash = Sha256::new().chain_update(host);
    if let Some(policy) = policy {
        hash = hash.chain_update(b"\0").chain_update(policy.name.as_bytes());
    }
    hash.finalize().first_chunk().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests;
