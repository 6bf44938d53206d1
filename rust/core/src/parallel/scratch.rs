//! Memory that a thread keeps from call to call: fresh pages would cost as much as the arithmetic.
//! Without the feature `std` it is fresh every time.

use alloc::vec::Vec;

#[cfg(feature = "std")]
std::thread_local! {
    static KEPT: core::cell::Cell<Vec<f32>> = const { core::cell::Cell::new(Vec::new()) };
}

/// The memory of the calling thread, taken until it is put back.
///
/// It is taken, and not lent to a closure, because such a closure would not be inlined into a kernel,
/// and so not be compiled for its instruction set. What is not put back is freed: what an interrupted
/// call has taken, for one.
#[derive(Debug)]
pub(crate) struct Scratch(Vec<f32>);

impl Scratch {
    /// What the thread has kept; nothing while another kernel on it has taken that.
    pub(crate) fn take() -> Self {
        #[cfg(feature = "std")]
        return Self(KEPT.take());
        #[cfg(not(feature = "std"))]
        Self(Vec::new())
    }

    /// Keeps the memory for the thread's next kernel.
    pub(crate) fn put_back(self) {
        #[cfg(feature = "std")]
        KEPT.set(self.0);
    }

    /// Slices of these lengths, which hold whatever was left there. Each starts on a cache line:
    /// reading a vector that lies in two lines takes twice as long.
    #[inline(always)]
    pub(crate) fn slices<const K: usize>(&mut self, lengths: [usize; K]) -> [&mut [f32]; K] {
        const LINE: usize = 64;
        const FLOATS: usize = LINE / size_of::<f32>();
        let lines = |len: usize| len.next_multiple_of(FLOATS);
        let needed = FLOATS + lengths.into_iter().map(lines).sum::<usize>();
        if self.0.len() < needed {
            self.0.resize(needed, 0.0);
        }
        let start = self.0.as_ptr().align_offset(LINE);
        let mut rest = &mut self.0[start..];
        lengths.map(|len| {
            let (slice, after) = core::mem::take(&mut rest).split_at_mut(lines(len));
            rest = after;
            &mut slice[..len]
        })
    }
}
