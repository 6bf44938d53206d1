//! Spikes × weights of 1 bit, or of -1, 0 and 1, by counting bits.
//!
//! A word of spikes and a word of weights meet 64 synapses at once: the sum over an output's weights is
//! `pop(x & positive) - pop(x & negative)`, or, where all weights are 1 or -1,
//! `2 pop(x & positive) - pop(x)`. Sums are integers, and exact in any order.

use super::counted::{Block, Finish, Line, ROWS, WIDEST};
use crate::Error;
use crate::parallel;
use crate::simd::{Isa, LINE, array, dispatch_counts};
use crate::spikes::layout;
use alloc::vec;
use alloc::vec::Vec;

/// Weights `[outputs, inputs]` of few values, as rows of bits, one row for each output.
#[derive(Clone, Copy, Debug)]
pub struct Planes<'a> {
    positive: &'a [u64],
    negative: Option<&'a [u64]>,
    outputs: usize,
    inputs: usize,
}

impl<'a> Planes<'a> {
    /// Weights of -1, 0 and 1, by where they are 1 and where they are -1.
    ///
    /// # Errors
    /// [`Error::Length`] or [`Error::Overflow`] if a plane is not `outputs` rows of `inputs` bits.
    pub fn ternary(
        positive: &'a [u64],
        negative: &'a [u64],
        [outputs, inputs]: [usize; 2],
    ) -> Result<Self, Error> {
        let sizes = [outputs, layout::words(inputs)];
        Error::check_length("negative", negative.len(), &sizes)?;
        let planes = Self::binary(positive, [outputs, inputs])?;
        Ok(Self {
            negative: Some(negative),
            ..planes
        })
    }

    /// Weights of -1 and 1, by where they are 1.
    ///
    /// # Errors
    /// As [`Planes::ternary`].
    pub fn binary(positive: &'a [u64], [outputs, inputs]: [usize; 2]) -> Result<Self, Error> {
        let sizes = [outputs, layout::words(inputs)];
        Error::check_length("positive", positive.len(), &sizes)?;
        Ok(Self {
            positive,
            negative: None,
            outputs,
            inputs,
        })
    }

    fn planes(&self) -> usize {
        1 + usize::from(self.negative.is_some())
    }

    /// The words of all planes, `[lines, words, planes]`: each line holds those of eight outputs, and
    /// their number is a multiple of [`WIDEST`].
    fn lines(&self) -> Vec<Line> {
        let words = layout::words(self.inputs);
        let count = self.outputs.div_ceil(LINE).next_multiple_of(WIDEST);
        let mut lines = vec![[0; LINE]; count * words * self.planes()];
        for (i, plane) in [Some(self.positive), self.negative]
            .iter()
            .flatten()
            .enumerate()
        {
            for (output, row) in plane.chunks_exact(words).enumerate() {
                let of_output = &mut lines[output / LINE * words * self.planes()..];
                let of_plane = of_output.iter_mut().skip(i).step_by(self.planes());
                for (line, &word) in of_plane.zip(row) {
                    line[output % LINE] = word;
                }
            }
        }
        lines
    }
}

/// `out = spikes × weightsᵀ` in integers, for `rows` rows of spikes; `out` is `[rows, outputs]`.
///
/// # Errors
/// [`Error::Length`] or [`Error::Overflow`] if a length does not fit the shape of the weights,
/// [`Error::Padding`] if spikes have padding bits set.
///
/// ```
/// use bitspike::matmul::{Planes, plane_product};
/// use bitspike::simd::Isa;
///
/// let weights = Planes::ternary(&[0b011, 0b000], &[0b100, 0b001], [2, 3])?; // 1 1 -1 and -1 0 0
/// let spikes = [0b101, 0b111];
/// let mut out = [0; 4];
/// plane_product(Isa::active()?, &spikes, 2, weights, &mut out)?;
/// assert_eq!(out, [0, -1, 1, -1]);
/// # Ok::<(), bitspike::Error>(())
/// ```
pub fn plane_product(
    isa: Isa,
    spikes: &[u64],
    rows: usize,
    weights: Planes<'_>,
    out: &mut [i32],
) -> Result<(), Error> {
    product(isa, spikes, rows, weights, &Same, out)
}

/// What sums of integers become as floats: `scale * sum + bias`, each rounded once, for each output.
#[derive(Clone, Copy, Debug)]
pub struct Affine<'a> {
    /// One for each output.
    pub scale: &'a [f32],
    /// Likewise.
    pub bias: Option<&'a [f32]>,
}

/// As [`plane_product`], in floats: up to 2²⁴ inputs, sums are exact before they are scaled.
///
/// # Errors
/// As [`plane_product`]; [`Error::Length`] if scales or biases are not as many as outputs.
pub fn scaled_plane_product(
    isa: Isa,
    spikes: &[u64],
    rows: usize,
    weights: Planes<'_>,
    affine: Affine<'_>,
    out: &mut [f32],
) -> Result<(), Error> {
    let Affine { scale, bias } = affine;
    Error::check_length("scale", scale.len(), &[weights.outputs])?;
    if let Some(bias) = bias {
        Error::check_length("bias", bias.len(), &[weights.outputs])?;
    }
    let finish = Scaled {
        scale: by_line(scale),
        bias: bias.map(by_line),
    };
    product(isa, spikes, rows, weights, &finish, out)
}

fn by_line(numbers: &[f32]) -> Vec<[f32; LINE]> {
    let line = |line: &[f32]| array(|i| line.get(i).copied().unwrap_or(0.0));
    numbers.chunks(LINE).map(line).collect()
}

/// Whether counting bits is faster than adding the weights of active inputs, as
/// [`product`](super::product) does, judged by density, shape and instruction set only.
///
/// The constants were measured on one core, with AVX2 and with AVX-512 VPOPCNTDQ; the unit is the time
/// of an addition.
///
/// ```
/// use bitspike::{matmul::prefers_planes, simd::Isa};
/// let ternary = 2;
/// assert!(prefers_planes(Isa::Avx2, 0.4, [8000, 512, 512], ternary));
/// assert!(!prefers_planes(Isa::Avx2, 0.05, [8000, 512, 512], ternary));
/// assert!(prefers_planes(Isa::Avx2, 0.05, [8, 512, 512], ternary)); // no weights to pack first
/// ```
#[must_use]
pub fn prefers_planes(
    isa: Isa,
    density: f64,
    [rows, inputs, _]: [usize; 3],
    planes: usize,
) -> bool {
    // Of a word of a plane, and of an output's result.
    let (of_word, of_result) = match isa {
        Isa::Scalar => (12.5, 30.0),
        Isa::Avx2 => (5.2, 31.0),
        Isa::Avx512 => (1.3, 24.0),
    };
    // Of an output's lists and sums, and of packing an input's weight.
    let (of_sum, of_packing) = (20.0, 14.0);
    let counted = of_word * (planes * layout::words(inputs)) as f64 + of_result;
    let added = (density + of_packing / rows.max(1) as f64) * inputs as f64 + of_sum;
    counted < added
}

/// They stay integers.
struct Same;

impl Finish<i32> for Same {
    #[inline(always)]
    fn of(&self, _: usize, sums: [i32; LINE]) -> [i32; LINE] {
        sums
    }
}

/// They are scaled, and biases added.
struct Scaled {
    scale: Vec<[f32; LINE]>,
    bias: Option<Vec<[f32; LINE]>>,
}

impl Finish<f32> for Scaled {
    #[inline(always)]
    fn of(&self, line: usize, sums: [i32; LINE]) -> [f32; LINE] {
        let scale = &self.scale[line];
        let mut out = [0.0; LINE];
        for lane in 0..LINE {
            out[lane] = sums[lane] as f32 * scale[lane];
        }
        if let Some(bias) = &self.bias {
            let bias = &bias[line];
            for lane in 0..LINE {
                out[lane] += bias[lane];
            }
        }
        out
    }
}

fn product<T: Copy + Send>(
    isa: Isa,
    spikes: &[u64],
    rows: usize,
    weights: Planes<'_>,
    finish: &impl Finish<T>,
    out: &mut [T],
) -> Result<(), Error> {
    let Planes {
        outputs, inputs, ..
    } = weights;
    layout::check_padded(spikes, rows, inputs)?;
    Error::check_length("out", out.len(), &[rows, outputs])?;
    if i32::try_from(inputs).is_err() {
        return Err(Error::Overflow { what: "inputs" });
    }
    if inputs == 0 {
        for (i, out) in out.iter_mut().enumerate() {
            let output = i % outputs;
            *out = finish.of(output / LINE, [0; LINE])[output % LINE];
        }
        return Ok(());
    }
    if out.is_empty() {
        return Ok(());
    }
    let lines = weights.lines();
    let words = layout::words(inputs);
    let work = rows.saturating_mul(lines.len());
    let items = spikes
        .chunks(ROWS * words)
        .zip(out.chunks_mut(ROWS * outputs))
        .map(|(spikes, out)| Block {
            spikes,
            words,
            lines: &lines,
            outputs,
            is_ternary: weights.negative.is_some(),
            finish,
            out,
        })
        .collect();
    parallel::for_each(items, work, |block| dispatch_counts(isa, block));
    Ok(())
}
