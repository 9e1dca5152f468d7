//! SHA-256 (FIPS 180-4), its compression function alone, in as many lanes as a [`Word`] has.

use crate::word::Word;

/// The state before the first block (§5.3.3).
pub(crate) const INITIAL: [u32; 8] =
    [0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19];

/// The constants of the rounds (§4.2.2).
#[rustfmt::skip]
const ROUND: [u32; 64] = [
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
];

/// The state after one more block (§6.2.2).
// A function of its own, since a browser swaps in optimised code only when a function is called again.
#[inline(never)]
pub(crate) fn compress(before: &[Word; 8], block: &[Word; 16]) -> [Word; 8] {
    let mut state = *before;
    let mut words = *block;
    for (index, constants) in ROUND.as_chunks().0.iter().enumerate() {
        state = four_rounds(state, constants, &words);
        words = if index < 12 { extend(&words) } else { rotate(&words) };
    }
    let mut after = *before;
    for (word, change) in after.iter_mut().zip(state) {
        *word = *word + change;
    }
    after
}

/// Sixteen words of the message schedule of which the first four are done with: those go last.
#[inline(always)]
fn rotate(w: &[Word; 16]) -> [Word; 16] {
    [w[4], w[5], w[6], w[7], w[8], w[9], w[10], w[11], w[12], w[13], w[14], w[15], w[0], w[1], w[2], w[3]]
}

/// The same, with the four words that follow the sixteen in their place.
#[inline(always)]
fn extend(w: &[Word; 16]) -> [Word; 16] {
    let n0 = schedule(w[0], w[1], w[9], w[14]);
    let n1 = schedule(w[1], w[2], w[10], w[15]);
    let n2 = schedule(w[2], w[3], w[11], n0);
    let n3 = schedule(w[3], w[4], w[12], n1);
    [w[4], w[5], w[6], w[7], w[8], w[9], w[10], w[11], w[12], w[13], w[14], w[15], n0, n1, n2, n3]
}

#[inline(always)]
fn schedule(w16: Word, w15: Word, w7: Word, w2: Word) -> Word {
    let sigma_0 = w15.rotate_right(7) ^ w15.rotate_right(18) ^ w15.shift_right(3);
    let sigma_1 = w2.rotate_right(17) ^ w2.rotate_right(19) ^ w2.shift_right(10);
    w16 + sigma_0 + w7 + sigma_1
}

/// Four at once: half the state is new then, so that little has to move. With eight the file is a third larger.
#[inline(always)]
fn four_rounds(state: [Word; 8], k: &[u32; 4], w: &[Word; 16]) -> [Word; 8] {
    let state = round(state, Word::splat(k[0]) + w[0]);
    let state = round(state, Word::splat(k[1]) + w[1]);
    let state = round(state, Word::splat(k[2]) + w[2]);
    round(state, Word::splat(k[3]) + w[3])
}

#[inline(always)]
fn round([a, b, c, d, e, f, g, h]: [Word; 8], constant_and_word: Word) -> [Word; 8] {
    let sum_1 = e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25);
    let choice = g ^ (e & (f ^ g));
    let sum_0 = a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22);
    // `b ^ c` is the `a ^ b` of the round before.
    let majority = b ^ ((a ^ b) & (b ^ c));
    let t1 = h + sum_1 + choice + constant_and_word;
    [t1 + sum_0 + majority, a, b, c, d + t1, e, f, g]
}
