//! What ops on feature maps read in common.

use super::super::Error;
use super::super::fields::Fields;
use super::super::values::Value;
use crate::conv::{Convolution, Windows};
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

/// Feature maps in one or two dimensions, the former of a height of 1.
#[derive(Clone, Copy, Debug)]
pub(super) struct Maps {
    pub(super) channels: usize,
    pub(super) size: [usize; 2],
    is_line: bool,
}

impl Maps {
    /// Those of a value of shape `[channels, length]` or `[channels, height, width]`.
    pub(super) fn of(value: &Value, fields: &Fields) -> Result<Self, Error> {
        match value.shape[..] {
            [channels, length] => Ok(Self { channels, size: [1, length], is_line: true }),
            [channels, height, width] => {
                Ok(Self { channels, size: [height, width], is_line: false })
            }
            _ => Err(fields.shape(format!(
                "an input of shape {:?}; it must be [channels, length] or [channels, height, width]",
                value.shape
            ))),
        }
    }

    /// A key of a size for each dimension; `absent` is that of the height of lines.
    pub(super) fn sizes(
        self,
        fields: &mut Fields,
        key: &'static str,
        absent: usize,
    ) -> Result<[usize; 2], Error> {
        if self.is_line {
            let [length] = fields.array(key)?;
            Ok([absent, length])
        } else {
            fields.array(key)
        }
    }

    /// The windows of a pool, whose keys are read.
    pub(super) fn windows(self, fields: &mut Fields) -> Result<Windows, Error> {
        Ok(Windows {
            planes: self.channels,
            height: self.size[0],
            width: self.size[1],
            window: self.sizes(fields, "kernel", 1)?,
            stride: self.sizes(fields, "stride", 1)?,
        })
    }

    /// The convolution of a weight `[outputs, channels of a group, *kernel]` in so many dimensions, whose
    /// other keys are read, and the size of its maps.
    pub(super) fn convolution(
        self,
        fields: &mut Fields,
        weight: &[usize],
        axes: usize,
    ) -> Result<(Convolution, [usize; 2]), Error> {
        let (outputs, per_group, kernel) = match (weight, self.is_line, axes) {
            (&[outputs, channels, length], true, 1) => (outputs, channels, [1, length]),
            (&[outputs, channels, height, width], false, 2) => (outputs, channels, [height, width]),
            _ => {
                return Err(fields.shape(format!(
                    "a weight of shape {weight:?} for maps {self:?} in {axes} dimensions"
                )));
            }
        };
        let conv = Convolution {
            channels: self.channels,
            size: self.size,
            outputs,
            groups: fields.size("groups", self.channels)?,
            kernel,
            stride: self.sizes(fields, "stride", 1)?,
            padding: self.sizes(fields, "padding", 0)?,
            dilation: self.sizes(fields, "dilation", 1)?,
        };
        let grid = conv.grid()?;
        if outputs == 0 || conv.group_channels() != per_group {
            return Err(fields.shape(format!(
                "a weight of {per_group} channels in {} groups, for an input of {}",
                conv.groups, self.channels
            )));
        }
        Ok((conv, grid))
    }

    /// The shape of as many maps of another size.
    pub(super) fn shape(self, channels: usize, [height, width]: [usize; 2]) -> Vec<usize> {
        if self.is_line {
            vec![channels, width]
        } else {
            vec![channels, height, width]
        }
    }
}
