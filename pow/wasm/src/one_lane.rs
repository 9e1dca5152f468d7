use core::ops::{Add, BitAnd, BitOr, BitXor};

/// Nonces hashed at once.
pub(crate) const LANES: u32 = 1;

/// A word of SHA-256.
#[derive(Clone, Copy)]
pub(crate) struct Word(u32);

impl Word {
    pub(crate) const LANE_INDEX: Self = Self(0);

    pub(crate) const fn splat(word: u32) -> Self {
        Self(word)
    }

    pub(crate) const fn rotate_right(self, bits: u32) -> Self {
        Self(self.0.rotate_right(bits))
    }

    pub(crate) const fn shift_right(self, bits: u32) -> Self {
        Self(self.0 >> bits)
    }

    pub(crate) const fn shift_left(self, bits: u32) -> Self {
        Self(self.0 << bits)
    }

    /// All ones where it is zero, else zero.
    pub(crate) const fn is_zero(self) -> Self {
        Self(if self.0 == 0 { u32::MAX } else { 0 })
    }

    /// All ones where it is more than `other`, else zero. Both are below 2^31.
    pub(crate) const fn is_more_than(self, other: u32) -> Self {
        Self(if self.0 > other { u32::MAX } else { 0 })
    }

    /// The highest bit of each lane, that of the first lane lowest.
    pub(crate) const fn bitmask(self) -> u32 {
        self.0 >> 31
    }
}

impl Add for Word {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.wrapping_add(other.0))
    }
}

impl BitAnd for Word {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl BitOr for Word {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitXor for Word {
    type Output = Self;

    fn bitxor(self, other: Self) -> Self {
        Self(self.0 ^ other.0)
    }
}
