//! Weights that many products share, packed once for all of them.
//!
//! A loop over time multiplies the spikes of each step by the same weights. To pack them takes longer
//! than to add the few that a step needs, so they are kept packed, beside a copy of the numbers that
//! they were packed from: weights that are no longer these numbers, whoever wrote them, are packed anew.
//! To compare takes a sixth of the time of packing.

use super::matrix::Numbers;
use super::packed::Packed;
use super::plan::tile_width;
use super::prepared::Listed;
use super::{Matrix, check, product};
use crate::Error;
use crate::simd::Isa;

/// The weights of products that follow one another.
///
/// ```
/// use bitspike::matmul::{KeptWeights, Matrix};
/// use bitspike::simd::Isa;
///
/// let mut kept = KeptWeights::default();
/// let mut out = [0.0; 2];
/// for scale in [1.0, 1.0, 1.0, 2.0] {
///     let numbers = [1.0, 2.0, 10.0, 20.0].map(|x| scale * x);
///     let weights = Matrix::new("weights", &numbers, [2, 2], [2, 1])?;
///     kept.product(Isa::active()?, &[0b10], 1, weights, None, &mut out)?;
///     assert_eq!(out, [10.0, 20.0].map(|x| scale * x));
/// }
/// # Ok::<(), bitspike::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct KeptWeights {
    /// Whether there was a product before: weights that are used once are not worth keeping.
    used: bool,
    kept: Option<Kept>,
}

#[derive(Debug)]
struct Kept {
    numbers: Numbers,
    packed: Packed,
}

impl KeptWeights {
    /// [`product`], whose bits it has.
    ///
    /// # Errors
    /// As those of [`product`].
    pub fn product(
        &mut self,
        isa: Isa,
        spikes: &[u64],
        rows: usize,
        weights: Matrix<'_>,
        bias: Option<&[f32]>,
        out: &mut [f32],
    ) -> Result<(), Error> {
        let [inputs, outputs] = weights.shape();
        check(spikes, rows, weights, bias, out)?;
        let again = core::mem::replace(&mut self.used, true);
        if again && inputs != 0 && !out.is_empty() {
            let width = tile_width(isa, outputs);
            let kept = self.kept.take().filter(|kept| kept.fits(weights, width));
            self.kept = kept.or_else(|| Kept::new(isa, weights, width));
            if let Some(kept) = &self.kept {
                let listed = Listed::new(isa, spikes, rows, inputs);
                listed.product(isa, &kept.packed, 0..outputs, bias, out);
                return Ok(());
            }
        }
        product(isa, spikes, rows, weights, bias, out)
    }
}

impl Kept {
    /// A copy of the weights, and packed ones; None if they are not finite, which packed ones must be, or
    /// lie with gaps.
    fn new(isa: Isa, weights: Matrix<'_>, width: usize) -> Option<Self> {
        let numbers = weights.numbers()?;
        let packed = Packed::new(isa, weights, width);
        packed.is_finite().then_some(Self { numbers, packed })
    }

    /// Whether the packed weights are these.
    fn fits(&self, weights: Matrix<'_>, width: usize) -> bool {
        self.packed.width() == width && weights.has(&self.numbers)
    }
}
