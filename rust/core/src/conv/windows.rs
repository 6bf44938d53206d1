//! Where windows lie on feature maps.

use crate::Error;
use crate::parallel::progress;
use crate::spikes::layout::WORD_BITS;

/// Lines of windows between two places where a call can be interrupted.
const LINES: usize = 64;

/// Windows on the feature maps `[planes, height, width]` of a row of neurons, without padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows {
    /// Feature maps per row.
    pub planes: usize,
    /// Their height.
    pub height: usize,
    /// Their width.
    pub width: usize,
    /// Height and width of a window; it is at most as large as a map, and 64 wide.
    pub window: [usize; 2],
    /// How far windows lie apart, vertically and horizontally.
    pub stride: [usize; 2],
}

impl Windows {
    /// How many windows a map has, vertically and horizontally: height and width of its results.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] if the window does not fit a map or a word, or a stride is 0;
    /// [`Error::Overflow`] if the sizes multiply to more than fits in memory.
    ///
    /// ```
    /// use bitspike::conv::Windows;
    /// let windows = Windows { planes: 1, height: 5, width: 8, window: [2, 3], stride: [2, 1] };
    /// assert_eq!(windows.grid()?, [2, 6]);
    /// # Ok::<(), bitspike::Error>(())
    /// ```
    pub fn grid(&self) -> Result<[usize; 2], Error> {
        Error::checked_product("spikes", &[self.planes, self.height, self.width])?;
        let [window_height, window_width] = self.window;
        in_range("the window's height, less 1,", window_height, self.height)?;
        let widest = self.width.min(WORD_BITS);
        in_range("the window's width, less 1,", window_width, widest)?;
        in_range("the vertical stride, less 1,", self.stride[0], usize::MAX)?;
        in_range("the horizontal stride, less 1,", self.stride[1], usize::MAX)?;
        Ok([
            (self.height - window_height) / self.stride[0] + 1,
            (self.width - window_width) / self.stride[1] + 1,
        ])
    }

    /// Neurons of a row.
    pub(super) fn neurons(&self) -> usize {
        self.planes * self.height * self.width
    }

    /// Calls `visit` for all windows of a row of neurons, in the order of their results.
    #[inline(always)]
    pub(super) fn for_each_segment(&self, grid: [usize; 2], mut visit: impl FnMut(Segment)) {
        let [window_width, stride] = [self.window[1], self.stride[1]];
        let most = (WORD_BITS - window_width) / stride + 1;
        for plane in 0..self.planes {
            for y in 0..grid[0] {
                let line = (plane * self.height + y * self.stride[0]) * self.width;
                let first = (plane * grid[0] + y) * grid[1];
                if y % LINES == LINES - 1 {
                    progress(LINES * grid[1] * self.window[0]);
                }
                for x in (0..grid[1]).step_by(most) {
                    visit(Segment {
                        first: first + x,
                        windows: most.min(grid[1] - x),
                        corner: line + x * stride,
                    });
                }
            }
        }
    }

    /// The bits of a window's line that has been shifted to the lowest.
    #[inline(always)]
    pub(super) fn mask(&self) -> u64 {
        u64::MAX >> (WORD_BITS - self.window[1])
    }
}

/// Neighbouring windows whose lines lie in one word each.
#[derive(Clone, Copy)]
pub(super) struct Segment {
    /// The place of the first one's result among those of a row.
    pub(super) first: usize,
    /// How many there are.
    pub(super) windows: usize,
    /// The neuron at the upper left corner of the first.
    pub(super) corner: usize,
}

fn in_range(what: &'static str, size: usize, limit: usize) -> Result<(), Error> {
    if (1..=limit).contains(&size) {
        return Ok(());
    }
    Err(Error::OutOfRange {
        what,
        found: i64::try_from(size).map_or(i64::MAX, |size| size - 1),
        limit,
    })
}
