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

    /// Calls a visitor with the formula, its constants in vectors.
    #[inline(always)]
    pub(super) fn visit<S: Simd>(self, simd: S, visitor: impl Visitor<S>) {
        match self {
            Self::None => visitor.visit(simd, Clamped),
            Self::Shift { bits, rounding } => {
                let addends = Addends::new(simd, rounding, bits);
                visitor.visit(simd, Shifted { bits, addends });
            }
            Self::Multiply { rounding } => {
                let addends = Addends::new(simd, rounding, Self::SHARES);
                visitor.visit(simd, Multiplied { addends });
            }
        }
    }
}

/// What is done with the formula of a decay.
pub(super) trait Visitor<S: Simd> {
    /// Does it.
    fn visit<L: Leak<S>>(self, simd: S, leak: L);
}

/// The formula of a decay.
pub(super) trait Leak<S: Simd>: Copy {
    /// What is left of a vector of states, and an input on top. `factor` holds those of the vector, if
    /// the formula has any.
    fn onto(self, simd: S, factor: S::I32, state: S::I32, input: S::I32) -> S::I32;
}

/// What a rounding adds before a shift: to negative states, and to all.
#[derive(Clone, Copy)]
struct Addends<S: Simd>([S::I32; 2]);

impl<S: Simd> Addends<S> {
    #[inline(always)]
    fn new(simd: S, rounding: Rounding, bits: u32) -> Self {
        let [of_negative, of_all] = rounding.addends(bits);
        Self([simd.splat_i32(of_negative), simd.splat_i32(of_all)])
    }

    /// `x` with the addends, where the sign is that of a state.
    #[inline(always)]
    fn added(self, simd: S, state: S::I32, x: S::I32) -> S::I32 {
        let Self([of_negative, of_all]) = self;
        let of_negative = simd.and_i32(simd.shift_right_i32(state, 31), of_negative);
        simd.add_i32(x, simd.add_i32(of_negative, of_all))
    }
}

#[derive(Clone, Copy)]
struct Clamped;

impl<S: Simd> Leak<S> for Clamped {
    #[inline(always)]
    fn onto(self, simd: S, _: S::I32, state: S::I32, input: S::I32) -> S::I32 {
        let most = Decay::CLAMP as i32;
        let (low, high) = (simd.splat_i32(-most), simd.splat_i32(most));
        let sum = simd.add_i32(state, input);
        let sum = simd.select_i32(simd.gt_i32(sum, high), high, sum);
        simd.select_i32(simd.gt_i32(low, sum), low, sum)
    }
}

#[derive(Clone, Copy)]
struct Shifted<S: Simd> {
    bits: u32,
    addends: Addends<S>,
}

impl<S: Simd> Leak<S> for Shifted<S> {
    #[inline(always)]
    fn onto(self, simd: S, _: S::I32, state: S::I32, input: S::I32) -> S::I32 {
        let sum = self.addends.added(simd, state, state);
        let lost = simd.shift_right_i32(sum, self.bits);
        simd.add_i32(simd.sub_i32(state, lost), input)
    }
}

#[derive(Clone, Copy)]
struct Multiplied<S: Simd> {
    addends: Addends<S>,
}

impl<S: Simd> Leak<S> for Multiplied<S> {
    #[inline(always)]
    fn onto(self, simd: S, factor: S::I32, state: S::I32, input: S::I32) -> S::I32 {
        // `U = 2^15·h + l`, so that no product needs more than 32 bits.
        let high = simd.shift_right_i32(state, Decay::SHARES);
        let low = simd.and_i32(state, simd.splat_i32((1 << Decay::SHARES) - 1));
        let sum = self.addends.added(simd, state, simd.mul_i32(low, factor));
        let low = simd.shift_right_i32(sum, Decay::SHARES);
        simd.add_i32(simd.add_i32(simd.mul_i32(high, factor), low), input)
    }
}
