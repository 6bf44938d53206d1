//! How tensors lie in memory: sizes and strides.

use crate::tensor::Dtype;

/// How a tensor lies in memory.
#[derive(Debug)]
pub(crate) struct Layout<'a> {
    /// Of the first element.
    pub(crate) address: usize,
    pub(crate) on_cpu: bool,
    pub(crate) dtype: Option<Dtype>,
    pub(crate) shape: &'a [i64],
    pub(crate) strides: &'a [i64],
}

impl Layout<'_> {
    /// How many elements there are.
    pub(crate) fn size(&self) -> usize {
        self.shape.iter().map(|&size| size as usize).product()
    }

    /// Whether the elements lie in row-major order without gaps.
    pub(crate) fn is_in_order(&self) -> bool {
        let mut next = 1;
        self.shape.contains(&0)
            || self
                .shape
                .iter()
                .zip(self.strides)
                .rev()
                .all(|(&size, &stride)| {
                    let fits = size == 1 || stride == next;
                    next *= size;
                    fits
                })
    }

    /// How many elements there are from the first to the furthest.
    pub(crate) fn reach(&self) -> usize {
        let last = |(&size, &stride): (&i64, &i64)| ((size - 1) * stride) as usize;
        match self.shape.contains(&0) {
            true => 0,
            false => 1 + self.shape.iter().zip(self.strides).map(last).sum::<usize>(),
        }
    }
}

/// Sizes or strides, which torch counts in 64 bits with a sign.
pub(crate) fn sizes(numbers: &[i64]) -> Vec<usize> {
    numbers.iter().map(|&x| x as usize).collect()
}
