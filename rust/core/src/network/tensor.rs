//! Tensors in a file.

use super::Error;
use alloc::string::String;
use alloc::vec::Vec;

/// What numbers a tensor holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dtype {
    /// Single precision.
    F32,
    /// Half precision.
    F16,
    /// The upper half of single precision.
    Bf16,
    /// Signed integers of 8 bits.
    I8,
    /// Bytes, which hold several integers each.
    U8,
    /// Signed integers of 32 bits.
    I32,
    /// Words of bits, or counters.
    U64,
}

impl Dtype {
    pub(super) const ALL: [Self; 7] = [
        Self::F32,
        Self::F16,
        Self::Bf16,
        Self::I8,
        Self::U8,
        Self::I32,
        Self::U64,
    ];

    /// Its name in a header.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "F32",
            Self::F16 => "F16",
            Self::Bf16 => "BF16",
            Self::I8 => "I8",
            Self::U8 => "U8",
            Self::I32 => "I32",
            Self::U64 => "U64",
        }
    }

    pub(super) const fn bytes(self) -> usize {
        match self {
            Self::I8 | Self::U8 => 1,
            Self::F16 | Self::Bf16 => 2,
            Self::F32 | Self::I32 => 4,
            Self::U64 => 8,
        }
    }
}

/// A tensor in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tensor<'a> {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub dtype: Dtype,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its numbers, little-endian.
    pub data: &'a [u8],
}

impl Tensor<'_> {
    /// Its numbers, widened to single precision.
    pub(super) fn numbers(&self) -> Result<Vec<f32>, Error> {
        let halves = || {
            let (halves, _) = self.data.as_chunks::<2>();
            halves.iter().map(|bytes| u16::from_le_bytes(*bytes))
        };
        match self.dtype {
            Dtype::F32 => {
                let (numbers, _) = self.data.as_chunks::<4>();
                Ok(numbers
                    .iter()
                    .map(|bytes| f32::from_le_bytes(*bytes))
                    .collect())
            }
            Dtype::F16 => Ok(halves().map(widened).collect()),
            Dtype::Bf16 => Ok(halves()
                .map(|half| f32::from_bits(u32::from(half) << 16))
                .collect()),
            Dtype::I8 | Dtype::U8 | Dtype::I32 | Dtype::U64 => {
                Err(self.problem("must hold floating-point numbers"))
            }
        }
    }

    /// Its integers.
    pub(super) fn integers(&self) -> Result<Vec<i32>, Error> {
        if self.dtype != Dtype::I32 {
            return Err(self.problem("must hold integers of 32 bits"));
        }
        let (integers, _) = self.data.as_chunks::<4>();
        let integers = integers.iter().map(|bytes| i32::from_le_bytes(*bytes));
        Ok(integers.collect())
    }

    /// Its words.
    pub(super) fn words(&self) -> Result<impl Iterator<Item = u64>, Error> {
        if self.dtype != Dtype::U64 {
            return Err(self.problem("must hold words of 64 bits"));
        }
        let (words, _) = self.data.as_chunks::<8>();
        Ok(words.iter().map(|bytes| u64::from_le_bytes(*bytes)))
    }

    /// What is wrong with it.
    pub(super) fn problem(&self, problem: impl Into<String>) -> Error {
        Error::Tensor {
            name: self.name.clone(),
            problem: problem.into(),
        }
    }
}

/// Half precision as single precision.
fn widened(half: u16) -> f32 {
    let sign = if half >> 15 == 0 { 1.0 } else { -1.0 };
    let (exponent, fraction) = (half >> 10 & 31, f32::from(half & 1023));
    match exponent {
        0 => sign * fraction / 16_777_216.0,
        31 if fraction == 0.0 => sign * f32::INFINITY,
        31 => f32::NAN,
        _ => {
            let bits = u32::from(half >> 15) << 31
                | (u32::from(exponent) + 112) << 23
                | u32::from(half & 1023) << 13;
            f32::from_bits(bits)
        }
    }
}
