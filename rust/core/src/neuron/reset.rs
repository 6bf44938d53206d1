//! What a spike does to the membrane.
//!
//! Three verbs: a reset *erases* what has been integrated, or *subtracts* from it, one step after the
//! spike; or it acts *at once*. [`Delayed::erase`], [`Delayed::subtract`] and `Delayed::at_once` are
//! named alike in the Python package. Neurons of biophysics *set* and *shift* states instead.
//!
//! The arithmetic is snnTorch's, operation by operation. Most of its products with a flag that is 0
//! or 1 become selections between the two possible products (`0·θ` is computed, not assumed: it is
//! `-0` for a negative and NaN for an infinite threshold), which gives the same bits for less.

use crate::Error;
use crate::simd::Simd;
use alloc::borrow::ToOwned;

/// How the membrane is reset; `R` is 1 where it stood above threshold before the step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// `u - R·θ`
    Subtract,
    /// The membrane is erased; the neuron says whether the present input is too.
    Zero,
    /// No reset: a spiking integrator.
    None,
    /// `u - R·β·θ`
    SubtractBeta,
}

/// A mechanism, and when it acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reset {
    /// What the reset does.
    pub mechanism: Mechanism,
    /// False: it acts one step after the spike (snnTorch's `reset_delay=True`). True: within the
    /// step that fires, and what is left of the delayed rule only covers membranes that came in
    /// above threshold.
    pub immediate: bool,
}

impl Mechanism {
    /// Every mechanism.
    pub const ALL: [Self; 4] = [Self::Subtract, Self::Zero, Self::None, Self::SubtractBeta];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Subtract => "subtract",
            Self::Zero => "zero",
            Self::None => "none",
            Self::SubtractBeta => "subtract_beta",
        }
    }

    /// The mechanism of that name.
    ///
    /// # Errors
    /// [`Error::UnknownName`]
    pub fn parse(name: &str) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|mechanism| mechanism.name() == name)
            .ok_or_else(|| Error::UnknownName {
                kind: "reset mechanism",
                name: name.to_owned(),
                known: Self::ALL.map(Self::name).join(", "),
            })
    }
}

/// The delayed reset of one step, for one vector of neurons: pieces for
/// [`Neuron::integrate`](super::Neuron::integrate) and its adjoint.
#[derive(Clone, Copy, Debug)]
pub struct Delayed<S: Simd> {
    /// Which reset.
    pub mechanism: Mechanism,
    /// `R`: who stood above threshold before the step.
    pub flag: S::Mask,
    /// `θ`
    pub threshold: S::F32,
    pub(super) amounts: Amounts<S>,
}

/// What resets subtract and keep: the same at every step.
#[derive(Clone, Copy, Debug)]
pub(super) struct Amounts<S: Simd> {
    /// What a reset subtracts is this times `θ`: 1, `β` or 0.
    factor: S::F32,
    /// What a reset subtracts.
    amount: S::F32,
    /// `0·amount`: what is subtracted where there is no reset.
    no_amount: S::F32,
    /// What a reset multiplies the membrane by: 0 for "zero", else 1.
    keep: S::F32,
}

impl<S: Simd> Amounts<S> {
    #[inline(always)]
    pub(super) fn new(
        simd: S,
        mechanism: Mechanism,
        decay: Option<S::F32>,
        threshold: S::F32,
    ) -> Self {
        let (zero, one) = (simd.splat(0.0), simd.splat(1.0));
        let (factor, amount) = match (mechanism, decay) {
            (Mechanism::Subtract, _) => (one, threshold),
            (Mechanism::SubtractBeta, Some(decay)) => (decay, simd.mul(decay, threshold)),
            _ => (zero, zero),
        };
        Self {
            factor,
            amount,
            no_amount: simd.mul(zero, amount),
            keep: if mechanism == Mechanism::Zero {
                zero
            } else {
                one
            },
        }
    }
}

impl<S: Simd> Delayed<S> {
    /// What an erasing reset keeps: under "zero" `(1 - R)·x`, else `x`. For what is erased before it is
    /// integrated, and its own adjoint.
    #[inline(always)]
    pub fn kept(&self, simd: S, x: S::F32) -> S::F32 {
        simd.select(self.flag, simd.mul(self.amounts.keep, x), x)
    }

    /// Under "zero" `x - R·x`, else `x`: for what is erased after it was integrated. Its adjoint is
    /// [`kept`](Self::kept).
    #[inline(always)]
    pub fn erase(&self, simd: S, x: S::F32) -> S::F32 {
        if self.mechanism == Mechanism::Zero {
            simd.sub(x, simd.mul(self.indicator(simd), x))
        } else {
            x
        }
    }

    /// Under "subtract" `u - R·θ`, under "subtract_beta" `u - R·β·θ`, else `u`. Its adjoint passes
    /// the gradient of `u` unchanged, with the following two beside it.
    #[inline(always)]
    pub fn subtract(&self, simd: S, u: S::F32) -> S::F32 {
        let Amounts {
            amount, no_amount, ..
        } = self.amounts;
        simd.sub(u, simd.select(self.flag, amount, no_amount))
    }

    /// The threshold's gradient by way of [`subtract`](Self::subtract), for that of its result.
    #[inline(always)]
    pub fn subtract_to_threshold(&self, simd: S, delta: S::F32) -> S::F32 {
        let zero = simd.splat(0.0);
        let subtracted = simd.select(self.flag, delta, zero);
        simd.sub(zero, simd.mul(self.amounts.factor, subtracted))
    }

    /// The decay's gradient by way of [`subtract`](Self::subtract), for that of its result.
    #[inline(always)]
    pub fn subtract_to_decay(&self, simd: S, delta: S::F32) -> S::F32 {
        let zero = simd.splat(0.0);
        if self.mechanism == Mechanism::SubtractBeta {
            let subtracted = simd.select(self.flag, delta, zero);
            simd.sub(zero, simd.mul(self.threshold, subtracted))
        } else {
            zero
        }
    }

    /// What an immediate reset makes of the membrane `u` that fired, or did not: under "subtract"
    /// `u - D·θ`, under "zero" `u - D·u`, with `D` what the delayed rule has [left](Self::left) it.
    #[inline(always)]
    pub(crate) fn at_once(&self, simd: S, u: S::F32, fired: S::Mask) -> S::F32 {
        let left = self.left(simd, fired);
        match self.mechanism {
            Mechanism::Subtract => simd.sub(u, simd.mul(left, self.threshold)),
            Mechanism::Zero => simd.sub(u, simd.mul(left, u)),
            // The registry refuses the second.
            Mechanism::None | Mechanism::SubtractBeta => u,
        }
    }

    /// `D = S - R`: what an immediate reset still has to do, given that the delayed rule has acted on
    /// `R`. Under "zero" a silent neuron is left alone (snnTorch would double its membrane).
    #[inline(always)]
    pub(crate) fn left(&self, simd: S, fired: S::Mask) -> S::F32 {
        let (one, zero) = (simd.splat(1.0), simd.splat(0.0));
        let left = simd.sub(simd.select(fired, one, zero), self.indicator(simd));
        match self.mechanism {
            Mechanism::Zero => simd.select(fired, left, zero),
            _ => left,
        }
    }

    /// `(1 - R)·x + R·value`: for what is set to a value before it is integrated. Not a selection,
    /// because an infinite membrane leaves NaN behind it.
    #[inline(always)]
    pub fn set(&self, simd: S, x: S::F32, value: S::F32) -> S::F32 {
        let r = self.indicator(simd);
        let kept = simd.mul(simd.sub(simd.splat(1.0), r), x);
        simd.add(kept, simd.mul(r, value))
    }

    /// `x + R·jump`: for what a reset moves.
    #[inline(always)]
    pub fn shift(&self, simd: S, x: S::F32, jump: S::F32) -> S::F32 {
        simd.add(x, simd.mul(self.indicator(simd), jump))
    }

    /// `R` as a number.
    #[inline(always)]
    pub fn indicator(&self, simd: S) -> S::F32 {
        simd.select(self.flag, simd.splat(1.0), simd.splat(0.0))
    }
}
