//! The memory in which values lie.

use super::parameter::Parameter;
use super::row::Row;
use super::scratch::{Active, Scratch};
use super::values::{Kind, Value, row};
use crate::spikes::layout::{WORD_BITS, padded, words};
use alloc::vec;
use alloc::vec::Vec;

/// The size of a buffer: so many planes of a row for each sample.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    pub(super) planes: usize,
    pub(super) neurons: usize,
}

/// Sizes of the memory of a network, for one sample.
#[derive(Clone, Debug, Default)]
pub(super) struct Sizes {
    pub(super) spikes: Vec<Slot>,
    pub(super) numbers: Vec<Slot>,
    pub(super) integers: Vec<Slot>,
    /// Inputs of the widest product.
    pub(super) widest: usize,
    /// The same of those that multiply integers.
    pub(super) widest_of_integers: usize,
    /// How many convolutions there are.
    pub(super) convolutions: usize,
    /// Bytes of their memories.
    pub(super) fixed: usize,
}

/// All values of a network for some samples, and what its ops work in. Ops take the buffer that they
/// write out of it, and put it back: it is never the one that they read.
#[derive(Clone, Debug)]
pub(super) struct Memory {
    pub(super) samples: usize,
    /// Steps since the reset.
    pub(super) step: u64,
    pub(super) spikes: Vec<Vec<u64>>,
    pub(super) numbers: Vec<Vec<f32>>,
    pub(super) integers: Vec<Vec<i32>>,
    pub(super) active: Active,
    /// A sample's integers side by side.
    pub(super) joined: Vec<i32>,
    pub(super) convolutions: Vec<Scratch>,
}

impl Memory {
    /// Memory of zeros. The sizes have been checked by [`bytes`](Self::bytes).
    pub(super) fn new(sizes: &Sizes, samples: usize) -> Self {
        fn zeros<T: Copy + Default>(kind: Kind, slots: &[Slot], samples: usize) -> Vec<Vec<T>> {
            let size = |slot: &Slot| slot.planes * samples * row(kind, slot.neurons);
            let buffers = slots.iter().map(size);
            buffers.map(|size| vec![T::default(); size]).collect()
        }
        Self {
            samples,
            step: 0,
            spikes: zeros(Kind::Spikes, &sizes.spikes, samples),
            numbers: zeros(Kind::Numbers, &sizes.numbers, samples),
            integers: zeros(Kind::Integers, &sizes.integers, samples),
            active: Active::new(samples, sizes.widest),
            joined: vec![0; sizes.widest_of_integers.div_ceil(2)],
            convolutions: Vec::with_capacity(sizes.convolutions),
        }
    }

    /// How many bytes [`new`](Self::new) takes; None if more than fits in memory.
    pub(super) fn bytes(sizes: &Sizes, samples: usize) -> Option<usize> {
        let of = |kind, slots: &[Slot], bytes: usize| {
            slots.iter().try_fold(0_usize, |sum, slot| {
                let factors = [slot.planes, samples, row(kind, slot.neurons), bytes];
                let size = factors.into_iter().try_fold(1_usize, usize::checked_mul)?;
                sum.checked_add(size)
            })
        };
        let lists = words(sizes.widest)
            .checked_mul(samples)?
            .checked_mul(WORD_BITS * 4 + 8)?;
        of(Kind::Spikes, &sizes.spikes, 8)?
            .checked_add(of(Kind::Numbers, &sizes.numbers, 4)?)?
            .checked_add(of(Kind::Integers, &sizes.integers, 4)?)?
            .checked_add(lists)?
            .checked_add(4 * sizes.widest_of_integers.div_ceil(2))?
            .checked_add(samples.checked_mul(8)?)?
            .checked_add(sizes.fixed)
            .filter(|&bytes| isize::try_from(bytes).is_ok())
    }

    /// The rows of a value's spikes.
    #[inline(always)]
    pub(super) fn spikes_of(&self, value: &Value) -> &[u64] {
        let len = self.samples * words(value.neurons);
        &self.spikes[value.slot][value.plane * len..][..len]
    }

    /// The rows of a value's numbers, each [`padded`].
    #[inline(always)]
    pub(super) fn numbers_of(&self, value: &Value) -> &[f32] {
        let len = self.samples * padded(value.neurons);
        &self.numbers[value.slot][value.plane * len..][..len]
    }

    /// The rows of a value's integers, each [`padded`].
    #[inline(always)]
    pub(super) fn integers_of(&self, value: &Value) -> &[i32] {
        let len = self.samples * padded(value.neurons);
        &self.integers[value.slot][value.plane * len..][..len]
    }

    /// Copies a plane of one buffer of a kind to a plane of another, each named by its slot and place.
    pub(super) fn copy(
        &mut self,
        kind: Kind,
        neurons: usize,
        from: (usize, usize),
        to: (usize, usize),
    ) {
        fn copy<T: Copy>(
            buffers: &mut [Vec<T>],
            len: usize,
            (from, first): (usize, usize),
            (to, place): (usize, usize),
        ) {
            let mut buffer = core::mem::take(&mut buffers[to]);
            buffer[place * len..][..len].copy_from_slice(&buffers[from][first * len..][..len]);
            buffers[to] = buffer;
        }
        let len = self.samples * row(kind, neurons);
        match kind {
            Kind::Spikes => copy(&mut self.spikes, len, from, to),
            Kind::Numbers => copy(&mut self.numbers, len, from, to),
            Kind::Integers => copy(&mut self.integers, len, from, to),
        }
    }

    /// What a value holds for a sample.
    pub(super) fn row(&self, value: &Value, sample: usize) -> Row<'_> {
        let len = row(value.kind, value.neurons);
        let of_sample = sample * len..(sample + 1) * len;
        match value.kind {
            Kind::Spikes => Row::Spikes(&self.spikes_of(value)[of_sample]),
            Kind::Numbers => Row::Numbers(&self.numbers_of(value)[of_sample]),
            Kind::Integers => Row::Integers(&self.integers_of(value)[of_sample]),
        }
    }

    /// As before the first step: all is zero but for these states.
    pub(super) fn reset(&mut self, initial: &[(Value, Parameter)]) {
        self.step = 0;
        self.spikes.iter_mut().for_each(|buffer| buffer.fill(0));
        self.numbers.iter_mut().for_each(|buffer| buffer.fill(0.0));
        self.integers.iter_mut().for_each(|buffer| buffer.fill(0));
        for (state, parameter) in initial {
            let row = padded(state.neurons);
            let plane = &mut self.numbers[state.slot][state.plane * self.samples * row..];
            for row in plane.chunks_exact_mut(row).take(self.samples) {
                for (neuron, number) in row.iter_mut().enumerate().take(state.neurons) {
                    *number = parameter.of(neuron);
                }
            }
        }
    }
}
