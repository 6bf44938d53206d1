//! How large sums and states can become.

use alloc::vec::Vec;

/// Largest magnitude of a sum or a state.
pub(crate) const LARGEST: u64 = i32::MAX as u64;

/// A neuron whose sum or state may exceed [`LARGEST`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Excess {
    pub(crate) neuron: usize,
    pub(crate) bound: u64,
}

impl Excess {
    /// Refuses what exceeds [`LARGEST`].
    pub(crate) fn check(neuron: usize, bound: u64) -> Result<u32, Self> {
        if bound > LARGEST {
            return Err(Self { neuron, bound });
        }
        Ok(bound as u32)
    }
}

/// The bound of each output, `|b_i| + Σ_j |q_ij|·x_j`: `weight` is `[outputs, inputs]`, and `inputs` the
/// largest magnitude of each input.
pub(crate) fn of_sums(weight: &[i8], bias: &[i32], inputs: &[u32]) -> Result<Vec<u32>, Excess> {
    let rows = weight.chunks_exact(inputs.len().max(1));
    let sums = rows.zip(bias).map(|(row, bias)| {
        let products = row.iter().zip(inputs);
        let products = products.map(|(q, x)| u64::from(q.unsigned_abs()) * u64::from(*x));
        products.fold(u64::from(bias.unsigned_abs()), u64::saturating_add)
    });
    let bounds = sums.enumerate();
    bounds
        .map(|(output, bound)| Excess::check(output, bound))
        .collect()
}
