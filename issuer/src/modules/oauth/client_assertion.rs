//! Assertions by which clients say who they are (RFC 7523 §3), each taken once.
//!
//! Once means once per process: which were taken is known to this one alone, and forgotten with it.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_lc_rs::digest;
use passport::{ClientAssertion, ClientExpected, ClientKeys, UnixTime, verify_client_assertion};

/// What clocks that are set differ by at most.
const LEEWAY: Duration = Duration::from_secs(30);

/// Assertions that are remembered until they end, of one client and of all: some 20 MB. One lives ten minutes at most, so
/// that a client can show eight a second, without end.
const OF_CLIENT_MAX: usize = 5_000;
const ALL_MAX: usize = 200_000;

/// Which assertions were taken and could be shown again. Nothing that could is ever forgotten to make room.
///
/// Anybody can write a client document and sign what fills this; so the clients of an operator have one of their own.
#[derive(Debug, Default)]
pub(crate) struct Assertions(Mutex<Taken>);

/// Why an assertion says nothing. A client is told no more than that it is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AssertionRefusal {
    #[error(transparent)]
    Refused(#[from] passport::Refusal),
    #[error("taken before")]
    Again,
    /// It counts, but there is no room to remember it.
    #[error("too many assertions to remember")]
    Full,
}

#[derive(Debug, Default)]
struct Taken {
    /// By client, under the digest of the `jti`.
    of_clients: HashMap<String, HashMap<[u8; digest::SHA256_OUTPUT_LEN], UnixTime>>,
    count: usize,
    swept_at: Option<UnixTime>,
}

impl Assertions {
    /// Takes an assertion of `client_id`. Of any number of calls with the same one, one succeeds. `audiences` are what the
    /// client may call us: the issuer, or the endpoint it asks.
    pub(crate) fn take(
        &self,
        assertion: &str,
        keys: &ClientKeys,
        client_id: &str,
        audiences: &[&str],
        now: UnixTime,
    ) -> Result<(), AssertionRefusal> {
        let expected = ClientExpected { client_id, audiences, leeway: LEEWAY };
        let claims = verify_client_assertion(assertion, keys, &expected, now)?;
        self.lock().take(&claims, now)
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        // A thread that came to grief left nothing half done: an insert is the last step but for its count.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    fn take(&mut self, claims: &ClientAssertion, now: UnixTime) -> Result<(), AssertionRefusal> {
        let mut jti = [0; digest::SHA256_OUTPUT_LEN];
        jti.copy_from_slice(digest::digest(&digest::SHA256, claims.jti.as_bytes()).as_ref());
        let of_client = self.of_clients.get(&claims.sub);
        // Also where it has ended by now: it counted when it was verified.
        if of_client.is_some_and(|of_client| of_client.contains_key(&jti)) {
            return Err(AssertionRefusal::Again);
        }
        if of_client.is_some_and(|of_client| of_client.len() >= OF_CLIENT_MAX) || self.count >= ALL_MAX {
            self.sweep(now);
        }
        let of_client = self.of_clients.get(&claims.sub).map_or(0, HashMap::len);
        if of_client >= OF_CLIENT_MAX || self.count >= ALL_MAX {
            return Err(AssertionRefusal::Full);
        }
        self.of_clients.entry(claims.sub.clone()).or_default().insert(jti, claims.exp.plus(LEEWAY));
        self.count += 1;
        Ok(())
    }

    /// Forgets what has ended; once a second, since it looks at all.
    fn sweep(&mut self, now: UnixTime) {
        if self.swept_at == Some(now) {
            return;
        }
        self.swept_at = Some(now);
        self.of_clients.retain(|_, of_client| {
            of_client.retain(|_, ends_at| *ends_at > now);
            !of_client.is_empty()
        });
        self.count = self.of_clients.values().map(HashMap::len).sum();
    }
}

#[cfg(test)]
mod tests;
