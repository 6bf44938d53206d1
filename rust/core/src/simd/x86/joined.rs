//! Pairs of lanes.

/// Two integers in one, the first in the lower half.
#[inline(always)]
pub(super) fn joined([low, high]: [i16; 2]) -> i32 {
    i32::from(low as u16) | i32::from(high) << 16
}
