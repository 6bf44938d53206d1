//! Gradients that are summed over samples, group by group.

use crate::matmul::Matrix;
use crate::matmul::packed::pack_tiles;
use crate::simd::Isa;

/// The gradients that all samples of a layer add to.
pub(super) struct Sums<'a> {
    /// `[inputs, neurons]` until they are [finished](Self::finish).
    pub(super) weights: Option<&'a mut [f32]>,
    pub(super) bias: Option<&'a mut [f32]>,
}

impl Sums<'_> {
    /// Begins with nothing.
    pub(super) fn clear(&mut self) {
        for out in [&mut self.weights, &mut self.bias].into_iter().flatten() {
            out.fill(0.0);
        }
    }

    /// The same for a while.
    pub(super) fn reborrow(&mut self) -> Sums<'_> {
        Sums {
            weights: self.weights.as_deref_mut(),
            bias: self.bias.as_deref_mut(),
        }
    }

    /// Turns the sums of the weights into their gradient, `[neurons, inputs]`.
    pub(super) fn finish(&mut self, isa: Isa, inputs: usize, neurons: usize) {
        if let Some(out) = &mut self.weights
            && !out.is_empty()
        {
            let sums = out.to_vec();
            let sums = Matrix::new("sums", &sums, [inputs, neurons], [neurons, 1]);
            let gradient = sums.expect("sums are as many").transposed();
            pack_tiles(isa, gradient, inputs, out);
        }
    }

    /// Adds the sums of another group.
    pub(super) fn add(&mut self, own: &Own) {
        for (out, share) in [
            (&mut self.weights, &own.weights),
            (&mut self.bias, &own.bias),
        ] {
            for (out, share) in out.iter_mut().flat_map(|out| out.iter_mut()).zip(share) {
                *out += share;
            }
        }
    }
}

/// The sums of a group that is not the first; empty where none are wanted.
pub(super) struct Own {
    weights: Vec<f32>,
    bias: Vec<f32>,
}

impl Own {
    /// As many numbers, all 0.
    pub(super) fn like(sums: &Sums<'_>) -> Self {
        let zeros = |out: &Option<&mut [f32]>| vec![0.0; out.as_ref().map_or(0, |out| out.len())];
        Self {
            weights: zeros(&sums.weights),
            bias: zeros(&sums.bias),
        }
    }

    /// Where the group adds to.
    pub(super) fn sums(&mut self) -> Sums<'_> {
        fn wanted(sums: &mut [f32]) -> Option<&mut [f32]> {
            (!sums.is_empty()).then_some(sums)
        }
        Sums {
            weights: wanted(&mut self.weights),
            bias: wanted(&mut self.bias),
        }
    }
}
