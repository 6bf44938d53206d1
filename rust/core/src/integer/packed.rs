//! Weights of 8 bits, laid out for what they are multiplied by.

use super::tiles::{Layout, Tiles};
use crate::simd::Isa;

/// Largest magnitude of an integer that is multiplied by weights.
pub(crate) const FACTOR: u32 = i16::MAX as u32;

/// What weights are multiplied by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Factors {
    Spikes,
    /// Integers of at most this magnitude, which none of them exceeds; if `natural`, they are not
    /// negative.
    Integers {
        largest: u32,
        natural: bool,
    },
}

/// Weights of a layer, laid out for its input.
#[derive(Debug)]
pub(crate) struct Packed(pub(super) Form);

#[derive(Debug)]
pub(super) enum Form {
    /// Rows for one spike.
    Spikes(Tiles<i16>),
    /// Rows for two integers of 16 bits.
    Pairs(Tiles<i16>),
    /// Rows for four bytes, of which so many products fit 16 bits.
    Quads(Tiles<i8>, usize),
}

impl Packed {
    /// Weights `[outputs, inputs]` for these factors.
    pub(crate) fn new(isa: Isa, weight: &[i8], outputs: usize, factors: Factors) -> Self {
        let Factors::Integers { largest, natural } = factors else {
            return Self(Form::Spikes(Tiles::new(
                Layout::of_spikes(isa),
                weight,
                outputs,
            )));
        };
        let rows = weight.chunks_exact((weight.len() / outputs).max(1));
        let pairs = rows.flat_map(|row| row.chunks(2));
        let sizes = pairs.map(|pair| pair.iter().map(|q| u32::from(q.unsigned_abs())).sum());
        let product = largest.saturating_mul(sizes.max().unwrap_or(0)).max(1);
        let rows = FACTOR / product;
        Self(if natural && largest <= u8::MAX.into() && rows > 0 {
            let tiles = Tiles::new(Layout::of_quads(isa), weight, outputs);
            Form::Quads(tiles, rows as usize)
        } else {
            Form::Pairs(Tiles::new(Layout::of_pairs(isa), weight, outputs))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::integer::{Groups, sums_of_integers};
    use crate::simd::{Kernel, Simd, dispatch};
    use crate::spikes::layout::padded;
    use alloc::vec;
    use alloc::vec::Vec;

    /// The sums of a layer without bias.
    struct Sums<'a>(&'a Packed, &'a [i32], usize);

    impl Kernel for Sums<'_> {
        type Output = Vec<i32>;

        #[inline(always)]
        fn run<S: Simd>(self, simd: S) -> Vec<i32> {
            let Self(weights, numbers, outputs) = self;
            let mut out = vec![7; padded(outputs)];
            let groups = Groups {
                joined: &mut vec![0; numbers.len().div_ceil(2)],
                active: &mut vec![0; numbers.len().div_ceil(2)],
            };
            let bias = vec![0; padded(outputs)];
            sums_of_integers(simd, weights, &bias, numbers, groups, &mut out);
            out.truncate(outputs);
            out
        }
    }

    #[test]
    fn integers_of_any_size_are_multiplied_exactly() {
        let mut random = 1_u64;
        let mut below = |limit: u64| {
            random = random.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            ((random >> 33) % limit) as i64
        };
        for case in 0..300 {
            let largest = [1, 16, 127, 128, 129, 255, 256, 32_767][case % 8];
            let natural = case % 3 > 0;
            let (inputs, outputs) = (1 + below(70) as usize, 1 + below(140) as usize);
            let extreme = case % 5 == 0;
            let weight: Vec<_> = (0..inputs * outputs)
                .map(|_| if extreme { -128 } else { below(256) as i8 })
                .collect();
            let number = |_| match below(4) {
                0 => 0,
                1 => largest,
                _ => below(1 + largest as u64),
            };
            let numbers: Vec<_> = (0..inputs).map(number).collect();
            let sign = |(place, x): (usize, &i64)| if natural || place % 2 == 0 { *x } else { -*x };
            let numbers: Vec<_> = numbers.iter().enumerate().map(sign).collect();
            let rows = weight.chunks(inputs);
            let product = |row: &[i8]| {
                row.iter()
                    .zip(&numbers)
                    .map(|(q, x)| i64::from(*q) * x)
                    .sum()
            };
            let expected: Vec<i64> = rows.map(product).collect();
            let integers: Vec<_> = numbers.iter().map(|x| *x as i32).collect();
            for &isa in Isa::available() {
                let largest = largest as u32;
                let factors = Factors::Integers { largest, natural };
                let packed = Packed::new(isa, &weight, outputs, factors);
                let fits = largest
                    * if extreme {
                        128 * inputs.min(2) as u32
                    } else {
                        1
                    }
                    <= FACTOR;
                assert!(fits || !matches!(packed.0, Form::Quads(..)), "{largest}");
                let sums = dispatch(isa, Sums(&packed, &integers, outputs)).into_iter();
                assert_eq!(sums.map(i64::from).collect::<Vec<_>>(), expected, "{case}");
            }
        }
    }
}
