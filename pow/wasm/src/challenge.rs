use crate::attempts::{Attempts, put};
use crate::sha256;
use crate::word::{LANES, Word};

const LABEL: &[u8] = b"lime:pow:v1";

/// The most bits there may be asked for.
const BITS_MAX: u32 = 64;

/// A challenge with what comes before the nonce hashed already: each attempt goes on from there.
pub(crate) struct Challenge {
    /// The state after the whole blocks of the prefix.
    midstate: [Word; 8],
    /// The rest of the prefix in big-endian words, and its length: 0 to 63 bytes.
    pub(crate) rest: [Word; 16],
    pub(crate) rest_bytes: u32,
    pub(crate) prefix_bytes: u32,
    /// The bits of the digest's first two words that are zero when a nonce solves it.
    zero_bits: [Word; 2],
}

impl Challenge {
    /// `None` when the text is empty or contains NUL, and past 64 bits.
    pub(crate) fn new(text: &[u8], bits: u32) -> Option<Self> {
        let hashable = !text.is_empty() && text.iter().all(|byte| *byte != 0);
        if !hashable || bits > BITS_MAX {
            return None;
        }
        let mut challenge = Self {
            midstate: sha256::INITIAL.map(Word::splat),
            rest: [Word::splat(0); 16],
            rest_bytes: 0,
            prefix_bytes: 0,
            zero_bits: [bits.min(32), bits.saturating_sub(32)].map(|bits| Word::splat(leading_ones(bits))),
        };
        challenge.extend_prefix(LABEL);
        challenge.extend_prefix(&[0]);
        challenge.extend_prefix(text);
        challenge.extend_prefix(&[0]);
        Some(challenge)
    }

    #[inline(never)] // for size
    fn extend_prefix(&mut self, bytes: &[u8]) {
        for byte in bytes {
            put(&mut self.rest, self.rest_bytes, *byte);
            self.prefix_bytes += 1;
            self.rest_bytes = self.prefix_bytes % 64;
            if self.rest_bytes == 0 {
                self.midstate = sha256::compress(&self.midstate, &self.rest);
                self.rest = [Word::splat(0); 16];
            }
        }
    }

    /// The first nonce of `start..end` that solves it.
    pub(crate) fn solve(&self, mut start: u64, end: u64) -> Option<u64> {
        // Nonces are counted up in place, so only among those of the same number of digits.
        let (mut digits, mut longer) = (1, 10);
        while start < end {
            if start < longer {
                let found = self.solve_same_length(start, end.min(longer), digits);
                if found.is_some() {
                    return found;
                }
                start = longer;
            }
            (digits, longer) = (digits + 1, longer * 10);
        }
        None
    }

    fn solve_same_length(&self, start: u64, end: u64, digits: u32) -> Option<u64> {
        let mut attempts = Attempts::new(self, start, digits);
        let mut nonce = start;
        while nonce < end {
            let [first, second, ..] = attempts.hash(&self.midstate);
            let [first_zero, second_zero] = self.zero_bits;
            let solved = ((first & first_zero) | (second & second_zero)).is_zero().bitmask();
            if solved != 0 {
                let found = nonce + u64::from(solved.trailing_zeros());
                return (found < end).then_some(found);
            }
            attempts.advance();
            nonce += u64::from(LANES);
        }
        None
    }
}

/// A word that starts with 0 to 32 one bits.
const fn leading_ones(bits: u32) -> u32 {
    !u32::MAX.unbounded_shr(bits)
}
