//! The LIME v1 solver for browsers: the first nonce of a range that solves a challenge. The rule is that of the crate
//! `pow`; `vectors.json` beside that crate holds the two together.
//!
//! One source, two builds: with the target feature `simd128` a word has four lanes, one nonce each; without it, one. No
//! allocation, no dependency, no panic. Read `challenge.rs` first, then `attempts.rs`; the rest is SHA-256.

#![no_std]

mod attempts;
mod challenge;
mod sha256;

#[cfg(target_feature = "simd128")]
#[path = "four_lanes.rs"]
mod word;
#[cfg(not(target_feature = "simd128"))]
#[path = "one_lane.rs"]
mod word;

use core::cell::UnsafeCell;
use core::panic::PanicInfo;

use challenge::Challenge;

/// Longest challenge taken, in bytes; those of the gateway have 119 at most.
const TEXT_BYTES_MAX: usize = 512;

/// Where nonces end: every smaller whole number is exact in a JavaScript number.
const NONCE_END: u64 = 1 << 53;

/// State between two calls from JavaScript.
struct Kept<T>(UnsafeCell<T>);

// SAFETY: an instance of the module has one thread (its memory is not shared), and no export calls another.
#[expect(unsafe_code, reason = "a static must be Sync")]
unsafe impl<T> Sync for Kept<T> {}

static TEXT: Kept<[u8; TEXT_BYTES_MAX]> = Kept(UnsafeCell::new([0; TEXT_BYTES_MAX]));
static CHALLENGE: Kept<Option<Challenge>> = Kept(UnsafeCell::new(None));

/// Where the caller writes the challenge: 512 bytes.
// SAFETY: no other symbol has this name.
#[expect(unsafe_code, reason = "an export")]
#[unsafe(no_mangle)]
pub extern "C" fn input() -> *mut u8 {
    TEXT.0.get().cast()
}

/// Takes up the challenge in the first `text_bytes` of the input: 0. Refuses one that is empty, too long or contains
/// NUL, and more than 64 bits: 1; then there is no challenge.
// SAFETY: no other symbol has this name.
#[expect(unsafe_code, reason = "an export, and the state between calls")]
#[unsafe(no_mangle)]
pub extern "C" fn begin(text_bytes: usize, bits: u32) -> u32 {
    // SAFETY: one thread, and no reference outlives a call.
    let (text, challenge) = unsafe { (&*TEXT.0.get(), &mut *CHALLENGE.0.get()) };
    *challenge = text.get(..text_bytes).and_then(|text| Challenge::new(text, bits));
    u32::from(challenge.is_none())
}

/// The first nonce of `start..start + attempts` that solves the challenge, or -1. Nonces end before 2^53.
// SAFETY: no other symbol has this name.
#[expect(unsafe_code, reason = "an export, and the state between calls")]
#[unsafe(no_mangle)]
pub extern "C" fn solve(start: f64, attempts: f64) -> f64 {
    // SAFETY: one thread, and no reference outlives a call.
    let challenge = unsafe { &*CHALLENGE.0.get() };
    let (Some(challenge), Some(start), Some(attempts)) = (challenge, whole(start), whole(attempts)) else {
        return -1.0;
    };
    let end = (start + attempts).min(NONCE_END);
    #[expect(clippy::cast_precision_loss, reason = "nonces end before 2^53")]
    challenge.solve(start, end).map_or(-1.0, |nonce| nonce as f64)
}

/// `None` unless it is a whole number of 0 to 2^53.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "what changes is refused")]
#[expect(clippy::cast_precision_loss, clippy::float_cmp, reason = "past 2^53 is refused, below it is exact")]
fn whole(number: f64) -> Option<u64> {
    let whole = number as u64;
    (whole <= NONCE_END && whole as f64 == number).then_some(whole)
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {}
}
