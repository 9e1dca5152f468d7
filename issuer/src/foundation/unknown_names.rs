//! Names that nobody signs in by. They lock as those of owners do, so that a lock does not tell one from the other.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use aws_lc_rs::digest;

use crate::store::Failures;
use crate::time::UnixMillis;

/// Names that are remembered: a megabyte. Each costs whoever fills it a hash of a password.
const NAMES_MAX: usize = 10_000;

/// Failures by the digest of the name, which has any length. This process alone knows them.
#[derive(Default)]
pub(crate) struct UnknownNames(Mutex<HashMap<[u8; digest::SHA256_OUTPUT_LEN], Failures>>);

impl UnknownNames {
    /// Before when no password is looked at under this name.
    pub(crate) fn locked_until(&self, user: &str) -> UnixMillis {
        self.lock().get(&key(user)).map_or(Failures::NONE, |failures| *failures).locked_until
    }

    /// Counts a password that was shown under this name; until when no other is looked at.
    pub(crate) fn note(&self, user: &str, now: UnixMillis) -> UnixMillis {
        let (mut names, name) = (self.lock(), key(user));
        if names.len() >= NAMES_MAX && !names.contains_key(&name) {
            names.retain(|_, failures| !failures.are_forgotten(now));
            let oldest = names.iter().min_by_key(|(_, failures)| failures.last_at).map(|(name, _)| *name);
            if let Some(oldest) = oldest.filter(|_| names.len() >= NAMES_MAX) {
                names.remove(&oldest);
            }
        }
        let failures = names.entry(name).or_insert(Failures::NONE);
        *failures = failures.and_one(now);
        failures.locked_until
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<[u8; digest::SHA256_OUTPUT_LEN], Failures>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for UnknownNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnknownNames").finish_non_exhaustive()
    }
}

/// Names differ by more than the case of ASCII, as those of owners do.
fn key(user: &str) -> [u8; digest::SHA256_OUTPUT_LEN] {
    let mut key = [0; digest::SHA256_OUTPUT_LEN];
    key.copy_from_slice(digest::digest(&digest::SHA256, user.to_ascii_lowercase().as_bytes()).as_ref());
    key
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NOW: UnixMillis = UnixMillis::new(1_800_000_000_000);

    #[test]
    fn a_name_locks_for_itself_however_it_is_written() {
        let names = UnknownNames::default();
        for user in ["eve", "Eve", "EVE", "eve"] {
            assert!(names.note(user, NOW) <= NOW);
        }
        assert_eq!(names.note("eVe", NOW), NOW.plus(Duration::from_mins(1)));
        assert_eq!(names.locked_until("EVE"), NOW.plus(Duration::from_mins(1)));
        assert!(names.locked_until("eva") <= NOW);
    }

    #[test]
    fn the_name_that_was_tried_longest_ago_makes_room() {
        let names = UnknownNames::default();
        let at = |number: usize| NOW.plus(Duration::from_millis(u64::try_from(number).unwrap()));
        for number in 0..NAMES_MAX + 10 {
            names.note(&number.to_string(), at(number));
        }
        assert_eq!(names.lock().len(), NAMES_MAX);
        assert!(!names.lock().contains_key(&key("9")) && names.lock().contains_key(&key("10")));
    }
}
