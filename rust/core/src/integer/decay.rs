//! What is left of a state after a step, in integers.

use crate::simd::Simd;

/// How the part that is shifted out is rounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rounding {
    /// Down.
    Floor,
    /// Towards zero.
    TowardZero,
    /// To the nearest integer, the upper of two.
    Nearest,
}

impl Rounding {
    pub(crate) const ALL: [Self; 3] = [Self::Floor, Self::TowardZero, Self::Nearest];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Floor => "floor",
            Self::TowardZero => "toward_zero",
            Self::Nearest => "nearest",
        }
    }

    /// What makes a shift to the right by so many bits round like this: an addend of negative numbers,
    /// and one of all.
    const fn addends(self, bits: u32) -> [i32; 2] {
        let unit = 1 << bits;
        match self {
            Self::Floor => [0, 0],
            Self::TowardZero => [unit - 1, 0],
            Self::Nearest => [0, unit / 2],
        }
    }
}

/// A decay, by formulas of integers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decay {
    /// `U`, clamped to [`CLAMP`](Self::CLAMP) after each input, for want of another bound.
    None,
    /// `U - U / 2^bits`
    Shift { bits: u32, rounding: Rounding },
    /// `U·M / 2^15` with a factor `M` in `0..2^15` for each neuron
    Multiply { rounding: Rounding },
}

impl Decay {
    /// Where states are clamped that do not decay.
    pub(crate) const CLAMP: u32 = 1 << 30;
    /// Most bits of a shift.
    pub(crate) const BITS: u32 = 24;
    /// The exponent of what factors are shares of.
    pub(crate) const SHARES: u32 = 15;

    /// The largest magnitude of a state that collects inputs of this magnitude, and from which, once it
    /// exceeds a threshold, the threshold is subtracted.
    ///
    /// A state of at most `B` decays to at most `B - B/2^k + 1`. It stays at most `B` with an input of
    /// `C` if `B ≥ 2^k·(C + 1)`; one unit more covers what rounding adds before it shifts. With factors,
    /// `1/(1 - M/2^15)` is in the place of `2^k`. A reset acts on states above a threshold of at least
    /// 0: what is left of them is not negative, so it ends above `-(C + θ)`.
    pub(crate) fn bound(self, factor: i32, input: u64, threshold: u64) -> u64 {
        let reset = input.saturating_add(threshold);
        let grown = input.saturating_add(2);
        match self {
            Self::None => u64::from(Self::CLAMP).saturating_add(reset),
            Self::Shift { bits, .. } => grown.saturating_mul(1 << bits).max(reset),
            Self::Multiply { .. } => {
                let whole = 1_u64 << Self::SHARES;
                let lost = whole - factor.unsigned_abs().min(u32::from(u16::MAX >> 1)) as u64;
                grown.saturating_mul(whole).div_ceil(lost).max(reset)
            }
        }
    }

    /// What is left of a vector of states, and an input on top.
    #[inline(always)]
    pub(crate) fn onto<S: Simd>(
        self,
        simd: S,
        factor: S::I32,
        state: S::I32,
        input: S::I32,
    ) -> S::I32 {
        match self {
            Self::None => clamped(simd, simd.add_i32(state, input)),
            Self::Shift { bits, rounding } => {
                let sum = add_before_shift(simd, rounding, bits, state, state);
                let lost = simd.shift_right_i32(sum, bits);
                simd.add_i32(simd.sub_i32(state, lost), input)
            }
            Self::Multiply { rounding } => {
                // `U = 2^15·h + l`, so that no product needs more than 32 bits.
                let high = simd.shift_right_i32(state, Self::SHARES);
                let low = simd.and_i32(state, simd.splat_i32((1 << Self::SHARES) - 1));
                let product = simd.mul_i32(low, factor);
                let sum = add_before_shift(simd, rounding, Self::SHARES, state, product);
                let low = simd.shift_right_i32(sum, Self::SHARES);
                simd.add_i32(simd.add_i32(simd.mul_i32(high, factor), low), input)
            }
        }
    }
}

/// `x` with the addends of a rounding, where the sign is that of a state.
#[inline(always)]
fn add_before_shift<S: Simd>(
    simd: S,
    rounding: Rounding,
    bits: u32,
    state: S::I32,
    x: S::I32,
) -> S::I32 {
    let [of_negative, of_all] = rounding.addends(bits);
    let sign = simd.shift_right_i32(state, 31);
    let of_negative = simd.and_i32(sign, simd.splat_i32(of_negative));
    simd.add_i32(x, simd.add_i32(of_negative, simd.splat_i32(of_all)))
}

#[inline(always)]
fn clamped<S: Simd>(simd: S, x: S::I32) -> S::I32 {
    let most = Decay::CLAMP as i32;
    let (low, high) = (simd.splat_i32(-most), simd.splat_i32(most));
    let x = simd.select_i32(simd.gt_i32(x, high), high, x);
    simd.select_i32(simd.gt_i32(low, x), low, x)
}
