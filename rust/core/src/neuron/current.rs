//! What flows into a neuron during a step.

use crate::simd::Simd;

/// The input current, and in recurrent layers that which the layer sends to itself.
///
/// They are two numbers and not their sum, because snnTorch adds them one after the other.
#[derive(Clone, Copy, Debug)]
pub struct Current<S: Simd> {
    external: S::F32,
    recurrent: Option<S::F32>,
}

impl<S: Simd> Current<S> {
    /// A current from outside.
    #[inline(always)]
    pub fn external(external: S::F32) -> Self {
        Self {
            external,
            recurrent: None,
        }
    }

    /// A current from outside, and one from the layer itself.
    #[inline(always)]
    pub fn recurrent(external: S::F32, recurrent: S::F32) -> Self {
        Self {
            external,
            recurrent: Some(recurrent),
        }
    }

    /// Whether the layer sends a current to itself.
    #[inline(always)]
    pub fn is_recurrent(self) -> bool {
        self.recurrent.is_some()
    }

    /// `(x + I) + rec`
    #[inline(always)]
    pub fn onto(self, simd: S, x: S::F32) -> S::F32 {
        let sum = simd.add(x, self.external);
        match self.recurrent {
            Some(recurrent) => simd.add(sum, recurrent),
            None => sum,
        }
    }

    /// `I + rec`
    #[inline(always)]
    pub fn total(self, simd: S) -> S::F32 {
        match self.recurrent {
            Some(recurrent) => simd.add(self.external, recurrent),
            None => self.external,
        }
    }
}
