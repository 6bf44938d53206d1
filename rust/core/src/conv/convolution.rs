//! What a convolution is, but for its numbers.

use crate::Error;
use crate::matmul::ADDITIONS_PER_STEP;
use core::ops::Range;

/// In which order the neurons of feature maps lie in a row of spikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// `[channels, height, width]`
    ChannelsFirst,
    /// `[height, width, channels]`
    ChannelsLast,
}

/// The orders of what a convolution reads and writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Orders {
    /// Of the spikes.
    pub spikes: Order,
    /// Of the sums, or of their gradients.
    pub sums: Order,
}

/// A convolution of feature maps in one or two dimensions, one of which has a height of 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Convolution {
    /// Feature maps of the input.
    pub channels: usize,
    /// Their height and width.
    pub size: [usize; 2],
    /// Feature maps of the output.
    pub outputs: usize,
    /// Groups of feature maps that are convolved by themselves.
    pub groups: usize,
    /// Height and width of the kernel.
    pub kernel: [usize; 2],
    /// How far apart outputs lie, vertically and horizontally.
    pub stride: [usize; 2],
    /// Zeros around the maps, on each side.
    pub padding: [usize; 2],
    /// How far apart the taps of the kernel lie.
    pub dilation: [usize; 2],
}

impl Convolution {
    /// Height and width of the output.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] if the kernel does not fit the padded maps, a stride or a dilation is 0;
    /// [`Error::Group`] if channels or outputs are no whole number of groups; [`Error::Overflow`] if
    /// the sizes multiply to more than fits in memory or in an index.
    ///
    /// ```
    /// use bitspike::conv::Convolution;
    /// let conv = Convolution {
    ///     channels: 2, size: [28, 28], outputs: 8, groups: 1, kernel: [3, 3],
    ///     stride: [2, 1], padding: [1, 1], dilation: [1, 1],
    /// };
    /// assert_eq!(conv.grid()?, [14, 28]);
    /// # Ok::<(), bitspike::Error>(())
    /// ```
    pub fn grid(&self) -> Result<[usize; 2], Error> {
        for count in [self.channels, self.outputs] {
            if self.groups == 0 || !count.is_multiple_of(self.groups) {
                return Err(Error::Group {
                    rows: count,
                    group: self.groups,
                });
            }
        }
        let neurons =
            Error::checked_product("spikes", &[self.channels, self.size[0], self.size[1]])?;
        let taps =
            Error::checked_product("weight", &[self.channels, self.kernel[0], self.kernel[1]])?;
        if neurons.max(taps) > i32::MAX as usize {
            return Err(Error::Overflow { what: "spikes" });
        }
        let mut grid = [0; 2];
        for (axis, grid) in grid.iter_mut().enumerate() {
            let [kernel, stride, padding, dilation] =
                [self.kernel, self.stride, self.padding, self.dilation].map(|sizes| sizes[axis]);
            let least_one = |what, size: usize| match size {
                0 => Err(out_of_range(what, -1, usize::MAX)),
                _ => Ok(()),
            };
            least_one("the kernel's size, less 1,", kernel)?;
            least_one("the stride, less 1,", stride)?;
            least_one("the dilation, less 1,", dilation)?;
            let overflow = Error::Overflow { what: "weight" };
            let padded = padding
                .checked_mul(2)
                .and_then(|p| p.checked_add(self.size[axis]));
            let padded = padded.ok_or_else(|| overflow.clone())?;
            let reach = (kernel - 1).checked_mul(dilation).ok_or(overflow)?;
            if reach >= padded {
                let found = i64::try_from(reach).unwrap_or(i64::MAX);
                return Err(out_of_range(
                    "the reach of kernel and dilation",
                    found,
                    padded,
                ));
            }
            *grid = (padded - reach - 1) / stride + 1;
        }
        Error::checked_product("out", &[self.outputs, grid[0], grid[1]])?;
        Ok(grid)
    }

    /// Neurons of a row of the input.
    pub(super) fn neurons(&self) -> usize {
        self.channels * self.pixels()
    }

    /// Pixels of a feature map of the input.
    pub(super) fn pixels(&self) -> usize {
        self.size[0] * self.size[1]
    }

    /// Channels of a group of the input.
    pub(crate) fn group_channels(&self) -> usize {
        self.channels / self.groups
    }

    /// Channels of a group of the output.
    pub(crate) fn group_outputs(&self) -> usize {
        self.outputs / self.groups
    }

    /// Weights of an output.
    pub(crate) fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1] * self.group_channels()
    }

    /// Elementary steps of [`parallel`](crate::parallel), for so many spikes in so many rows.
    pub(super) fn work(&self, spikes: u64, rows: usize, [height, width]: [usize; 2]) -> usize {
        let reach = self.kernel[0] * self.kernel[1] * self.group_outputs();
        let additions = (spikes as usize).saturating_mul(reach) / (self.stride[0] * self.stride[1]);
        let sums = rows.saturating_mul(height * width * self.outputs);
        let lists = rows.saturating_mul(self.pixels());
        (additions.saturating_add(sums) / ADDITIONS_PER_STEP).saturating_add(lists)
    }

    /// The line of the input that a line of the kernel meets at a line of the output; None in the
    /// padding.
    #[inline(always)]
    pub(crate) fn line(&self, y: usize, ky: usize) -> Option<usize> {
        let line = (y * self.stride[0] + ky * self.dilation[0]).checked_sub(self.padding[0])?;
        (line < self.size[0]).then_some(line)
    }

    /// The inputs of a group that a line of taps meets.
    pub(super) fn runs(&self) -> Runs {
        let channels = self.group_channels();
        match self.dilation[1] {
            1 => Runs {
                count: 1,
                length: self.kernel[1] * channels,
            },
            _ => Runs {
                count: self.kernel[1],
                length: channels,
            },
        }
    }

    /// Whether an event of the input reaches neighbouring outputs by neighbouring taps, so that it can
    /// add one run of weights to one run of sums, and these are so short that this is faster.
    pub(super) fn is_scattered(&self) -> bool {
        self.stride[1] == 1 && self.dilation[1] == 1 && self.group_outputs() < SCATTERED
    }

    /// Whether neighbouring outputs meet mostly the same inputs, by neighbouring taps.
    pub(super) fn meets_neighbours(&self) -> bool {
        self.stride[1] == 1 && self.dilation[1] == 1 && self.kernel[1] >= 3
    }

    /// Pixels of a line of sums, of which outputs keep some: what any pixel of the input reaches.
    pub(super) fn reached(&self) -> usize {
        self.size[1] + self.kernel[1] - 1
    }

    /// The outputs of a line, and where the first of them lies among the pixels that are
    /// [`reached`](Self::reached).
    pub(super) fn kept(&self, width: usize) -> (Range<usize>, usize) {
        let first = self.kernel[1] - 1;
        let skipped = self.padding[1].saturating_sub(first).min(width);
        let start = (first + skipped).saturating_sub(self.padding[1]);
        let end = width.min(skipped + self.reached().saturating_sub(start));
        (skipped..end, start)
    }
}

/// Neighbouring inputs that taps meet: pixels in order, channels side by side.
#[derive(Clone, Copy, Debug)]
pub(super) struct Runs {
    /// How many of them.
    pub(super) count: usize,
    /// Inputs of each.
    pub(super) length: usize,
}

/// Channels of an output from which on sums stay in registers while inputs are looked up.
const SCATTERED: usize = 32;

fn out_of_range(what: &'static str, found: i64, limit: usize) -> Error {
    Error::OutOfRange { what, found, limit }
}
