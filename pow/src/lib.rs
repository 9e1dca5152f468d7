//! The LIME v1 proof of work, alone: check a solution, find one.
//!
//! A nonce solves a challenge at a difficulty of `d` bits when
//! `SHA-256("lime:pow:v1" ‖ 0x00 ‖ challenge ‖ 0x00 ‖ nonce)` starts with at least `d` zero bits. The challenge is
//! hashed as its text. The nonce is a decimal number written in 1 to 20 ASCII digits, and it is the text that counts:
//! `7` and `07` are two nonces.
//!
//! A challenge may be cut into [`Puzzles`]: then each of them is solved so.
//!
//! This crate must never know who asks or why: no I/O, no clock, no randomness, no allocation, so that it also builds
//! for a browser. Read [`check`] first, then [`solve`].

#![no_std]

use sha2::{Digest, Sha256};

pub mod browser;
mod puzzles;

pub use puzzles::{ANSWER_BYTES_MAX, Puzzles, check_answer, solve_puzzle};

const LABEL: &[u8] = b"lime:pow:v1";

/// Most digits a nonce may have: what the largest `u64` needs.
pub const NONCE_DIGITS_MAX: usize = 20;

/// Leading zero bits a digest must have, 0 to 64. Each bit doubles the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Difficulty(u8);

impl Difficulty {
    /// The most bits this crate judges; far past what anybody waits for.
    pub const MAX: Self = Self(64);

    /// `None` past [`Difficulty::MAX`].
    #[must_use]
    pub const fn new(bits: u8) -> Option<Self> {
        if bits <= Self::MAX.0 { Some(Self(bits)) } else { None }
    }

    /// The number of leading zero bits.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }
}

/// Why a nonce does not solve a challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The nonce is not 1 to 20 ASCII digits, or the challenge is empty or contains NUL.
    Malformed,
    /// The digest has fewer leading zero bits than asked for.
    TooFewBits,
}

/// Checks that `nonce` solves `challenge`.
///
/// # Errors
/// [`Refusal`] says which rule the nonce broke.
pub fn check(challenge: &str, nonce: &str, difficulty: Difficulty) -> Result<(), Refusal> {
    if hashable(challenge) { judge(prefix(challenge), nonce, difficulty) } else { Err(Refusal::Malformed) }
}

/// The first nonce of `start..` that solves `challenge`, after at most `attempts_max` tries.
///
/// `None` when none of them does, or when the challenge is one that [`check`] would refuse. A caller that wants to
/// report progress or to give up solves in slices: the next one starts at `start + attempts_max`.
#[must_use]
pub fn solve(challenge: &str, difficulty: Difficulty, start: u64, attempts_max: u64) -> Option<u64> {
    if hashable(challenge) { attempt(&prefix(challenge), difficulty, start, attempts_max) } else { None }
}

/// Whether a nonce gives the hash that goes on from `prefix` the bits that are asked for.
fn judge(prefix: Sha256, nonce: &str, difficulty: Difficulty) -> Result<(), Refusal> {
    if !(1..=NONCE_DIGITS_MAX).contains(&nonce.len()) || !nonce.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Refusal::Malformed);
    }
    let bits = leading_zero_bits(prefix.chain_update(nonce));
    if bits < u32::from(difficulty.0) { Err(Refusal::TooFewBits) } else { Ok(()) }
}

/// What comes before the nonce is hashed once; each attempt goes on from that state.
fn attempt(prefix: &Sha256, difficulty: Difficulty, start: u64, attempts_max: u64) -> Option<u64> {
    let mut digits = [0_u8; NONCE_DIGITS_MAX];
    (start..start.saturating_add(attempts_max)).find(|nonce| {
        let attempt = prefix.clone().chain_update(decimal(*nonce, &mut digits));
        leading_zero_bits(attempt) >= u32::from(difficulty.0)
    })
}

fn hashable(challenge: &str) -> bool {
    !challenge.is_empty() && !challenge.contains('\0')
}

fn prefix(challenge: &str) -> Sha256 {
    ends_prefix(starts_prefix(challenge))
}

fn starts_prefix(challenge: &str) -> Sha256 {
    Sha256::new().chain_update(LABEL).chain_update([0]).chain_update(challenge)
}

fn ends_prefix(hash: Sha256) -> Sha256 {
    hash.chain_update([0])
}

fn leading_zero_bits(hash: Sha256) -> u32 {
    let digest = hash.finalize();
    let (head, _) = digest.as_slice().split_first_chunk().unwrap_or((&[0xff; 8], &[]));
    u64::from_be_bytes(*head).leading_zeros()
}

fn decimal(mut number: u64, digits: &mut [u8; NONCE_DIGITS_MAX]) -> &[u8] {
    let mut start = NONCE_DIGITS_MAX;
    for (index, digit) in digits.iter_mut().enumerate().rev() {
        *digit = b'0' | u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
        start = index;
        if number == 0 {
            break;
        }
    }
    digits.get(start..).unwrap_or_default()
}

#[cfg(test)]
extern crate std;
#[cfg(test)]
mod tests;
