//! Passwords of owners: argon2id (RFC 9106), off the runtime's threads.

use std::fmt;
use std::sync::Arc;

use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Semaphore;

use crate::Error;

/// Shortest password, in characters; length is what a guesser pays for.
const CHARS_MIN: usize = 12;

/// Longest password, in bytes: more is a mistake, or work made for us.
const BYTES_MAX: usize = 1024;

/// What one hash costs: 19 MiB of memory, twice over, as OWASP has it; some 20 ms.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

const SALT_BYTES: usize = 16;

/// Random bytes of a password that is made here.
const MADE_BYTES: usize = 24;

/// What is verified against where there is no such user: nobody knows the password, and it costs what any costs.
const NOBODYS: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5IHNpZ25zIGluIQ$\
                       vEX/2Yy+xFOxFhu+rZbrZS/5Z2674R3STORWS+TN0xU";

/// A password to be set: long enough. Debug does not print it.
#[derive(Clone)]
pub struct NewPassword(SecretString);

impl NewPassword {
    /// Takes a password as somebody typed it.
    ///
    /// # Errors
    /// [`Error::Invalid`] when it is shorter than 12 characters or longer than 1,024 bytes.
    pub fn parse(text: String) -> Result<Self, Error> {
        let text = SecretString::from(text);
        let (chars, bytes) = (text.expose_secret().chars().count(), text.expose_secret().len());
        let fits = chars >= CHARS_MIN && bytes <= BYTES_MAX;
        let refused =
            || Error::Invalid("a password is 12 characters at least, 1,024 bytes at most: choose another".to_owned());
        fits.then_some(Self(text)).ok_or_else(refused)
    }

    /// One that nobody can guess.
    ///
    /// # Errors
    /// [`Error::Randomness`].
    pub fn generate() -> Result<Self, Error> {
        let mut bytes = [0; MADE_BYTES];
        rand::fill(&mut bytes).map_err(|_| Error::Randomness("password"))?;
        Ok(Self(URL_SAFE_NO_PAD.encode(bytes).into()))
    }

    /// The text to hand to its owner.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for NewPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NewPassword(..)")
    }
}

/// No hash was made: the system has no randomness, or is ending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotHashed;

/// Hashes and verifies, as many at a time as there are processors: each takes 19 MiB.
#[derive(Clone, Debug)]
pub(crate) struct Passwords {
    slots: Arc<Semaphore>,
}

impl Passwords {
    pub(crate) fn new() -> Self {
        let slots = std::thread::available_parallelism().map_or(1, usize::from);
        Self { slots: Arc::new(Semaphore::new(slots)) }
    }

    /// What is kept of a password: a PHC string.
    pub(crate) async fn hash(&self, password: NewPassword) -> Result<String, NotHashed> {
        self.run(move || {
            let mut salt = [0; SALT_BYTES];
            rand::fill(&mut salt).ok()?;
            let hash = hasher()?.hash_password_with_salt(password.expose().as_bytes(), &salt).ok()?;
            Some(hash.to_string())
        })
        .await
        .flatten()
        .ok_or(NotHashed)
    }

    /// Whether this is the password of `phc`. Without one, and for a password that never was one, it takes as long to say
    /// no: time does not tell who signs in here.
    pub(crate) async fn verify(&self, phc: Option<&str>, password: String) -> bool {
        let password = SecretString::from(password);
        let known = phc.filter(|_| password.expose_secret().len() <= BYTES_MAX).map(str::to_owned);
        let is_known = known.is_some();
        let verified = self.run(move || {
            let password = password.expose_secret().as_bytes();
            let password = password.get(..BYTES_MAX).unwrap_or(password);
            let phc = known.as_deref().unwrap_or(NOBODYS);
            hasher().is_some_and(|hasher| hasher.verify_password(password, phc).is_ok())
        });
        verified.await.unwrap_or(false) && is_known
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let slot = Arc::clone(&self.slots).acquire_owned().await.ok()?;
        let done = tokio::task::spawn_blocking(move || {
            let done = work();
            drop(slot);
            done
        });
        done.await.ok()
    }
}

fn hasher() -> Option<Argon2<'static>> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).ok()?;
    Some(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

#[cfg(test)]
mod tests {
    use argon2::password_hash::phc::PasswordHash;

    use super::*;

    #[tokio::test]
    async fn a_password_is_verified_against_its_own_hash_alone() {
        let passwords = Passwords::new();
        let password = |text: &str| NewPassword::parse(text.to_owned()).unwrap();
        let first = passwords.hash(password("correct horse battery")).await.unwrap();
        let again = passwords.hash(password("correct horse battery")).await.unwrap();
        assert_ne!(first, again, "each has its salt");
        assert!(first.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{first}");
        for (phc, text, expected) in [
            (Some(first.as_str()), "correct horse battery", true),
            (Some(again.as_str()), "correct horse battery", true),
            (Some(first.as_str()), "correct horse batterz", false),
            (Some(first.as_str()), "", false),
            (Some("nonsense"), "correct horse battery", false),
            (None, "correct horse battery", false),
        ] {
            assert_eq!(passwords.verify(phc, text.to_owned()).await, expected, "{phc:?} {text}");
        }
        assert!(!passwords.verify(Some(&first), "x".repeat(100_000)).await);
    }

    #[test]
    fn who_does_not_exist_costs_what_anybody_costs() {
        let nobodys = PasswordHash::new(NOBODYS).unwrap();
        let params = Params::try_from(&nobodys).unwrap();
        assert_eq!((params.m_cost(), params.t_cost(), params.p_cost()), (MEMORY_KIB, PASSES, LANES));
        assert_eq!(nobodys.hash.unwrap().len(), Params::DEFAULT_OUTPUT_LEN);
        assert_eq!(nobodys.salt.unwrap().len(), SALT_BYTES);
    }

    #[test]
    fn a_password_is_long_but_not_too_long_and_is_never_printed() {
        for (text, fits) in [
            ("elevenchars", false),
            ("twelve chars", true),
            ("\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}", false),
            (&"x".repeat(1024), true),
            (&"x".repeat(1025), false),
        ] {
            assert_eq!(NewPassword::parse(text.to_owned()).is_ok(), fits, "{text}");
        }
        let made = NewPassword::generate().unwrap();
        assert_eq!(format!("{made:?}"), "NewPassword(..)");
        assert!(NewPassword::parse(made.expose().to_owned()).is_ok());
    }
}
