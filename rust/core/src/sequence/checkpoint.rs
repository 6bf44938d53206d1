//! Which steps backward recomputes, and when.
//!
//! Kept whole, the states of a long sequence would leave the caches. So backward goes up through the
//! sequence once, chunk by chunk, and saves the states at the start of each chunk; on its way down it
//! runs each chunk again from there, with all states kept, and sends the gradients back through it.
//! The last chunk is the turning point: it is run but once.

use std::ops::Range;

/// A sequence in chunks of at most `size` steps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chunks {
    steps: usize,
    size: usize,
}

/// One run of a chunk.
#[derive(Clone, Debug)]
pub(crate) struct Pass {
    /// Which chunk.
    pub(crate) chunk: usize,
    /// Its steps.
    pub(crate) steps: Range<usize>,
    /// Whether its first states come from the run before, to be saved; else they are those saved.
    pub(crate) saves: bool,
    /// Whether the gradients go back through it afterwards.
    pub(crate) reverses: bool,
}

impl Chunks {
    /// Chunks of `size` steps, no longer than the sequence; the last one may be shorter.
    pub(crate) fn new(steps: usize, size: usize) -> Self {
        Self {
            steps,
            size: size.clamp(1, steps.max(1)),
        }
    }

    /// How many there are.
    pub(crate) fn count(self) -> usize {
        self.steps.div_ceil(self.size)
    }

    /// Steps of the longest.
    pub(crate) fn size(self) -> usize {
        self.size
    }

    /// The runs in order, up and down again: `0, 1, 2, 1, 0` for three chunks. They are one loop,
    /// because the code of a chunk is inlined wherever it is called.
    pub(crate) fn passes(self) -> impl Iterator<Item = Pass> {
        let count = self.count();
        (0..(2 * count).saturating_sub(1)).map(move |pass| {
            let chunk = pass.min(2 * count - 2 - pass);
            Pass {
                chunk,
                steps: chunk * self.size..((chunk + 1) * self.size).min(self.steps),
                saves: pass < count,
                reverses: pass + 1 >= count,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Chunks;

    fn passes(steps: usize, size: usize) -> Vec<(usize, std::ops::Range<usize>, bool, bool)> {
        let passes = Chunks::new(steps, size).passes();
        passes
            .map(|pass| (pass.chunk, pass.steps, pass.saves, pass.reverses))
            .collect()
    }

    #[test]
    fn chunks_are_run_up_and_down() {
        let expected = [
            (0, 0..4, true, false),
            (1, 4..8, true, false),
            (2, 8..9, true, true),
            (1, 4..8, false, true),
            (0, 0..4, false, true),
        ];
        assert_eq!(passes(9, 4), expected);
    }

    #[test]
    fn one_chunk_is_run_once_and_none_never() {
        assert_eq!(passes(4, 9), [(0, 0..4, true, true)]);
        assert_eq!(passes(0, 9), []);
    }
}
