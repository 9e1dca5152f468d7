use sha2::{Digest, Sha256};

use crate::{Difficulty, Refusal, attempt, ends_prefix, hashable, judge, starts_prefix};

/// Most bytes of an answer: sixteen of the longest nonces, and what stands between them.
pub const ANSWER_BYTES_MAX: usize = 16 * crate::NONCE_DIGITS_MAX + 15;

/// Into how many puzzles the work of a challenge is cut. Many small ones take as long as one large one on average, and
/// hardly ever much longer: with sixteen, one in a hundred takes 1.7 times the average, where with one it takes 4.6 times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Puzzles {
    /// One, whose text is the challenge.
    One,
    /// Sixteen, each with four bits less, whose texts are the challenge and `.00` to `.15`.
    Sixteen,
}

impl Puzzles {
    /// So many; `None` for a number that is neither 1 nor 16.
    #[must_use]
    pub const fn new(count: u8) -> Option<Self> {
        match count {
            1 => Some(Self::One),
            16 => Some(Self::Sixteen),
            _ => None,
        }
    }

    /// How many.
    #[must_use]
    pub const fn count(self) -> u8 {
        match self {
            Self::One => 1,
            Self::Sixteen => 16,
        }
    }

    /// What each of them asks for when all of them together ask for `difficulty`.
    #[must_use]
    pub const fn each(self, difficulty: Difficulty) -> Difficulty {
        match self {
            Self::One => difficulty,
            Self::Sixteen => Difficulty(difficulty.0.saturating_sub(4)),
        }
    }

    /// The hash of all that comes before the nonce of one puzzle.
    fn prefix(self, challenge: &Sha256, index: u8) -> Sha256 {
        let hash = challenge.clone();
        ends_prefix(match self {
            Self::One => hash,
            Self::Sixteen => hash.chain_update([b'.', b'0' + index / 10, b'0' + index % 10]),
        })
    }
}

/// Checks an answer to a challenge: the nonces of all puzzles in their order, separated by commas.
///
/// # Errors
/// [`Refusal`] says which rule the first bad one broke.
pub fn check_answer(challenge: &str, nonces: &str, difficulty: Difficulty, puzzles: Puzzles) -> Result<(), Refusal> {
    if !hashable(challenge) || nonces.len() > ANSWER_BYTES_MAX {
        return Err(Refusal::Malformed);
    }
    // As many as there must be, before anything is hashed.
    if nonces.bytes().filter(|byte| *byte == b',').count() + 1 != usize::from(puzzles.count()) {
        return Err(Refusal::Malformed);
    }
    let (start, each) = (starts_prefix(challenge), puzzles.each(difficulty));
    (0_u8..).zip(nonces.split(',')).try_for_each(|(index, nonce)| judge(puzzles.prefix(&start, index), nonce, each))
}

/// The first nonce of `start..` that solves one puzzle of a challenge whose puzzles together ask for `difficulty`, after at
/// most `attempts_max` tries. `None` as in [`solve`](crate::solve), and for an index past the last puzzle.
#[must_use]
pub fn solve_puzzle(
    challenge: &str,
    (puzzles, index): (Puzzles, u8),
    difficulty: Difficulty,
    start: u64,
    attempts_max: u64,
) -> Option<u64> {
    if !hashable(challenge) || index >= puzzles.count() {
        return None;
    }
    let prefix = puzzles.prefix(&starts_prefix(challenge), index);
    attempt(&prefix, puzzles.each(difficulty), start, attempts_max)
}
