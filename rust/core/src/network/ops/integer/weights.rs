//! Weights and biases in integers.

use super::super::super::Error;
use super::super::super::builder::Builder;
use super::super::super::fields::Fields;
use super::super::super::tensor::Dtype;
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

/// How many bits a weight may have.
const BITS: [usize; 3] = [8, 4, 2];

/// Weights `[outputs, *]`, and a bias for each output.
#[derive(Debug)]
pub(super) struct Weights {
    pub(super) shape: Vec<usize>,
    pub(super) numbers: Vec<i8>,
    pub(super) bias: Vec<i32>,
}

impl Weights {
    /// Reads `"weight"`, a tensor of I8 `[outputs, *]`, or of U8 `[outputs, bytes]`, whose bytes hold
    /// two's complements of `"bits"` bits, the first in the lowest, and which count `2^shift` each; its
    /// `"shape"`; and `"bias"`, a tensor of I32 or null.
    pub(super) fn read(builder: &mut Builder<'_>, fields: &mut Fields) -> Result<Self, Error> {
        let name = fields.text("weight")?;
        let tensor = builder.tensors.tensor(&name)?;
        let shape = fields.sizes("shape")?;
        let bits = fields.size("bits", 8)?;
        if !BITS.contains(&bits) {
            return Err(fields.value("bits", &format!("one of {BITS:?}")));
        }
        let shift = fields.integer("shift", [0, 8 - bits as i64])? as usize;
        let (Some((&outputs, inputs)), false) = (shape.split_first(), shape.contains(&0)) else {
            return Err(fields.value("shape", "a list of sizes, none of them 0"));
        };
        let inputs = inputs.iter().copied().fold(1, usize::saturating_mul);
        let row = inputs.saturating_mul(bits).div_ceil(8);
        let (dtype, expected) = match bits {
            8 => (Dtype::I8, shape.clone()),
            _ => (Dtype::U8, vec![outputs, row]),
        };
        if (tensor.dtype, &tensor.shape) != (dtype, &expected) {
            let dtype = dtype.name();
            return Err(tensor.problem(format!("must be {dtype} of shape {expected:?}")));
        }
        builder.reserve(outputs.next_multiple_of(32).saturating_mul(inputs))?;
        let rows = tensor.data.chunks_exact(row);
        let numbers = rows.flat_map(|row| (0..inputs).map(|i| unpacked(row, i, bits) << shift));
        let bias = match fields.text_or_null("bias")? {
            None => vec![0; outputs],
            Some(name) => {
                let tensor = builder.tensors.tensor(&name)?;
                if tensor.shape != [outputs] {
                    return Err(tensor.problem(format!("must have shape [{outputs}]")));
                }
                tensor.integers()?
            }
        };
        Ok(Self {
            numbers: numbers.collect(),
            bias,
            shape,
        })
    }
}

/// The integer of that place in a row of integers of so many bits.
fn unpacked(row: &[u8], place: usize, bits: usize) -> i8 {
    let shift = place * bits;
    let above = 8 - bits;
    ((row[shift / 8] >> (shift % 8) << above) as i8) >> above
}
