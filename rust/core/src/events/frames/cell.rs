//! What frames are made of.

use crate::spikes::layout::{WORD_BITS, words};

/// Bits of 64 neurons, or the count of one.
pub trait Cell: Copy + Default + core::fmt::Debug {
    /// Cells of a row of so many neurons.
    fn row(neurons: usize) -> usize;

    /// Adds an event of a neuron; says whether nothing has changed, as there was one already or the
    /// count is at its end.
    fn add(row: &mut [Self], neuron: usize) -> bool;

    /// Adds events of the neurons `neuron + i` for each bit `i` of a mask; says for how many nothing has
    /// changed.
    #[inline]
    fn add_run(row: &mut [Self], neuron: usize, mask: u32) -> u32 {
        let (mut left, mut unchanged) = (mask, 0);
        while left != 0 {
            unchanged += u32::from(Self::add(row, neuron + left.trailing_zeros() as usize));
            left &= left - 1;
        }
        unchanged
    }
}

impl Cell for u64 {
    fn row(neurons: usize) -> usize {
        words(neurons)
    }

    #[inline]
    fn add(row: &mut [Self], neuron: usize) -> bool {
        let (word, bit) = (&mut row[neuron / WORD_BITS], 1 << (neuron % WORD_BITS));
        let is_set = *word & bit != 0;
        *word |= bit;
        is_set
    }

    #[inline]
    fn add_run(row: &mut [Self], neuron: usize, mask: u32) -> u32 {
        let (at, shift) = (neuron / WORD_BITS, neuron % WORD_BITS);
        let mut add = |at: usize, run: u64| {
            let word = &mut row[at];
            let met = *word & run;
            *word |= run;
            // To count bits takes longer than all the rest, and few events meet.
            if met == 0 { 0 } else { met.count_ones() }
        };
        let mask = u64::from(mask);
        let unchanged = add(at, mask << shift);
        // Shifted twice, because by 64 there is no shift.
        match mask >> 1 >> (WORD_BITS - 1 - shift) {
            0 => unchanged,
            high => unchanged + add(at + 1, high),
        }
    }
}

macro_rules! counts {
    ($($count:ty),*) => {$(
        impl Cell for $count {
            fn row(neurons: usize) -> usize {
                neurons
            }

            #[inline]
            fn add(row: &mut [Self], neuron: usize) -> bool {
                let count = &mut row[neuron];
                let is_full = *count == Self::MAX;
                *count = count.saturating_add(1);
                is_full
            }
        }
    )*};
}

counts!(u8, i16);
