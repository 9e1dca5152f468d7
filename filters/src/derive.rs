//! Keys from the gateway's secret (HKDF, RFC 5869): one for each purpose, so that what is made for one is nothing to
//! another.

use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Okm, Prk, Salt};

/// What all keys of a secret come from.
pub(crate) fn root(secret: &[u8; 32]) -> Prk {
    Salt::new(HKDF_SHA256, b"lime gateway secret").extract(secret)
}

/// The key of a purpose.
#[expect(clippy::expect_used, reason = "fails only past 255 blocks of 32 bytes; every key here takes one")]
pub(crate) fn derive<L: KeyType, K: for<'a> From<Okm<'a, L>>>(root: &Prk, purpose: &[u8], kind: L) -> K {
    root.expand(&[purpose], kind).expect("one block").into()
}

/// A key as its bytes.
pub(crate) struct Bytes32(pub(crate) [u8; 32]);

/// The kind of [`Bytes32`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Length32;

impl Bytes32 {
    pub(crate) const KIND: Length32 = Length32;
}

impl KeyType for Length32 {
    fn len(&self) -> usize {
        32
    }
}

impl From<Okm<'_, Length32>> for Bytes32 {
    #[expect(clippy::expect_used, reason = "it is as long as its kind says")]
    fn from(okm: Okm<'_, Length32>) -> Self {
        let mut bytes = [0; 32];
        okm.fill(&mut bytes).expect("32 bytes");
        Self(bytes)
    }
}
