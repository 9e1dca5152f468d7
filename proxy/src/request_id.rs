//! The name of a request in logs, refusals and `X-Request-Id`.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::clock::Timestamp;

/// Longest inbound id that is taken over, in bytes: a UUID has 36, a trace id 32, some add a prefix.
const INBOUND_BYTES_MAX: usize = 128;

/// Crockford's base 32, in which a ULID is written.
const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

const ULID_BYTES: usize = 26;

/// An id: made here (a ULID: 48 bits of time, 80 that no other request has), or taken over from a trusted proxy.
#[derive(Clone, Debug)]
pub(crate) enum RequestId {
    Made([u8; ULID_BYTES]),
    Inbound(Box<str>),
}

impl RequestId {
    pub(crate) fn as_str(&self) -> &str {
        match self {
            // ASCII by construction; an empty name would only be less useful.
            Self::Made(digits) => std::str::from_utf8(digits).unwrap_or_default(),
            Self::Inbound(text) => text,
        }
    }

    /// An id that may stand in a log line, a header and a page as it is.
    pub(crate) fn inbound(text: &[u8]) -> Option<Self> {
        let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._:+/=".contains(byte);
        let fits = (1..=INBOUND_BYTES_MAX).contains(&text.len()) && text.iter().all(allowed);
        let text = std::str::from_utf8(text).ok().filter(|_| fits)?;
        Some(Self::Inbound(text.into()))
    }
}

/// Makes ids. No randomness is drawn per request: a ULID names, it does not protect.
#[derive(Debug)]
pub(crate) struct RequestIds {
    process: u64,
    next: AtomicU64,
}

impl RequestIds {
    /// `seed` is random: it tells this process from all others.
    pub(crate) const fn new(seed: [u8; 16]) -> Self {
        let [a, b, c, d, e, f, g, h, next @ ..] = seed;
        Self { process: u64::from_le_bytes([a, b, c, d, e, f, g, h]), next: AtomicU64::new(u64::from_le_bytes(next)) }
    }

    pub(crate) fn make(&self, now: Timestamp) -> RequestId {
        let count = self.next.fetch_add(1, Ordering::Relaxed);
        let own = u128::from(self.process & 0xffff) << 64 | u128::from(scattered(count ^ self.process));
        let mut rest = u128::from(now.as_millis()) << 80 | own;
        let mut digits = [0; ULID_BYTES];
        for digit in digits.iter_mut().rev() {
            let index = usize::try_from(rest & 31).unwrap_or_default();
            *digit = DIGITS.get(index).copied().unwrap_or_default();
            rest >>= 5;
        }
        RequestId::Made(digits)
    }
}

/// A bijection (the finisher of SplitMix64): no two counts give one id, and ids do not tell how many came between them.
const fn scattered(count: u64) -> u64 {
    let mut mixed = count.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ids_differ_and_begin_with_their_time() {
        let ids = RequestIds::new([7; 16]);
        let now = Timestamp::from(passport::UnixTime::from_secs(1_795_532_400));
        let made: HashSet<String> = (0..10_000).map(|_| ids.make(now).as_str().to_owned()).collect();
        assert_eq!(made.len(), 10_000);
        assert!(made.iter().all(|id| id.len() == 26 && id.starts_with("01M8")), "{:?}", made.iter().next());
    }

    #[test]
    fn an_inbound_id_that_could_break_a_line_or_a_page_is_not_taken() {
        for good in
            ["a", "01JD", "4bf92f3577b34da6a3ce929d0e0e4736", "a-b_c".replace('_', ".").as_str(), &"x".repeat(128)]
        {
            assert_eq!(RequestId::inbound(good.as_bytes()).unwrap().as_str(), good);
        }
        for bad in ["", "a b", "a\nb", "<b>", "\"", "é", &"x".repeat(129)] {
            assert!(RequestId::inbound(bad.as_bytes()).is_none(), "{bad:?}");
        }
    }
}
