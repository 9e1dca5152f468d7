use crate::challenge::Challenge;
use crate::sha256;
use crate::word::{LANES, Word};

/// What is left to hash for as many nonces in a row as a [`Word`] has lanes.
pub(crate) struct Attempts {
    /// The rest of the prefix, the digits, the padding. The second block counts when the first is too small.
    blocks: [[Word; 16]; 2],
    blocks_used: usize,
    /// Where the last digit is, in bytes.
    last_digit: u32,
}

impl Attempts {
    /// For `nonce`, which has so many digits, and those after it.
    pub(crate) fn new(challenge: &Challenge, mut nonce: u64, digits: u32) -> Self {
        let after = challenge.rest_bytes + digits;
        let mut blocks = [challenge.rest, [Word::splat(0); 16]];
        for at in (challenge.rest_bytes..after).rev() {
            put(blocks.as_flattened_mut(), at, b'0' + (nonce % 10) as u8);
            nonce /= 10;
        }
        put(blocks.as_flattened_mut(), after, 0x80);

        // The padding takes at least one byte, the length eight.
        let blocks_used = if after + 9 > 64 { 2 } else { 1 };
        if let Some([.., length]) = blocks.get_mut(blocks_used - 1) {
            *length = Word::splat((challenge.prefix_bytes + digits) * 8);
        }
        let mut attempts = Self { blocks, blocks_used, last_digit: after - 1 };
        attempts.count(Word::LANE_INDEX);
        attempts
    }

    /// Goes on to the nonces after these.
    pub(crate) fn advance(&mut self) {
        self.count(Word::splat(LANES));
    }

    /// Adds less than ten to each nonce, in place and in ASCII. One that needs a further digit is no nonce any more:
    /// the carry has changed the prefix before it.
    #[inline(never)] // for size
    fn count(&mut self, mut step: Word) {
        let mut at = self.last_digit;
        while let Some(word) = self.blocks.as_flattened_mut().get_mut(at as usize / 4) {
            let shift = shift_of(at);
            let digit = (word.shift_right(shift) & Word::splat(0xff)) + step;
            let carry = digit.is_more_than(u32::from(b'9'));
            *word = *word + (step + (carry & Word::splat(10_u32.wrapping_neg()))).shift_left(shift);
            if carry.bitmask() == 0 {
                return;
            }
            step = carry & Word::splat(1);
            at = at.wrapping_sub(1);
        }
    }

    /// The digests.
    pub(crate) fn hash(&self, midstate: &[Word; 8]) -> [Word; 8] {
        self.blocks.iter().take(self.blocks_used).fold(*midstate, |state, block| sha256::compress(&state, block))
    }
}

/// Writes a byte into big-endian words that are zero there.
#[inline(never)] // for size
pub(crate) fn put(words: &mut [Word], at: u32, byte: u8) {
    if let Some(word) = words.get_mut(at as usize / 4) {
        *word = *word | Word::splat(u32::from(byte) << shift_of(at));
    }
}

/// Bits right of a byte in its word.
const fn shift_of(at: u32) -> u32 {
    24 - at % 4 * 8
}
