use core::arch::wasm32::{
    i32x4_bitmask, i32x4_gt, i32x4_shl, u32x4, u32x4_add, u32x4_eq, u32x4_shr, u32x4_splat, v128, v128_and, v128_or,
    v128_xor,
};
use core::ops::{Add, BitAnd, BitOr, BitXor};

/// Nonces hashed at once.
pub(crate) const LANES: u32 = 4;

/// A word of SHA-256 for each lane.
#[derive(Clone, Copy)]
pub(crate) struct Word(v128);

impl Word {
    pub(crate) const LANE_INDEX: Self = Self(u32x4(0, 1, 2, 3));

    pub(crate) fn splat(word: u32) -> Self {
        Self(u32x4_splat(word))
    }

    pub(crate) fn rotate_right(self, bits: u32) -> Self {
        self.shift_right(bits) | self.shift_left(32 - bits)
    }

    pub(crate) fn shift_right(self, bits: u32) -> Self {
        Self(u32x4_shr(self.0, bits))
    }

    pub(crate) fn shift_left(self, bits: u32) -> Self {
        Self(i32x4_shl(self.0, bits))
    }

    /// All ones where it is zero, else zero.
    pub(crate) fn is_zero(self) -> Self {
        Self(u32x4_eq(self.0, u32x4_splat(0)))
    }

    /// All ones where it is more than `other`, else zero. Both are below 2^31.
    pub(crate) fn is_more_than(self, other: u32) -> Self {
        Self(i32x4_gt(self.0, u32x4_splat(other)))
    }

    /// The highest bit of each lane, that of the first lane lowest.
    pub(crate) fn bitmask(self) -> u32 {
        u32::from(i32x4_bitmask(self.0))
    }
}

impl Add for Word {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(u32x4_add(self.0, other.0))
    }
}

impl BitAnd for Word {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        Self(v128_and(self.0, other.0))
    }
}

impl BitOr for Word {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(v128_or(self.0, other.0))
    }
}

impl BitXor for Word {
    type Output = Self;

    fn bitxor(self, other: Self) -> Self {
        Self(v128_xor(self.0, other.0))
    }
}
