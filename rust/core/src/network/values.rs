//! What flows between ops, and the memory in which it lies.

use super::parameter::Parameter;
use super::row::Row;
use crate::conv::Taps;
use crate::simd::Simd;
use crate::spikes::indices::{self, SLACK};
use crate::spikes::layout::{WORD_BITS, padded, tail_mask, words};
use alloc::vec;
use alloc::vec::Vec;

/// What a value holds for each neuron.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A bit: whether it fires.
    Spikes,
    /// A number in single precision.
    Numbers,
    /// An integer of 32 bits.
    Integers,
}

impl Kind {
    /// Those that come into a network, or from the step before.
    pub(super) const NAMES: [&'static str; 2] = [Self::Spikes.name(), Self::Numbers.name()];
    /// What ops in floats take.
    pub(super) const FLOATS: &'static [Self] = &[Self::Spikes, Self::Numbers];
    /// What sums in integers are of.
    pub(super) const WHOLE: &'static [Self] = &[Self::Spikes, Self::Integers];

    /// Its name.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Spikes => "spikes",
            Self::Numbers => "numbers",
            Self::Integers => "integers",
        }
    }

    /// The kind of that place among the [names](Self::NAMES).
    pub(super) const fn nth(n: usize) -> Self {
        if n == 0 { Self::Spikes } else { Self::Numbers }
    }
}

/// A value of a graph: its shape, without the batch, and its place in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Value {
    pub(super) kind: Kind,
    pub(super) shape: Vec<usize>,
    pub(super) neurons: usize,
    /// Which of the buffers of its kind.
    pub(super) slot: usize,
    /// Which of the buffer's planes.
    pub(super) plane: usize,
}

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

/// Numbers of a row of so many neurons, and words.
pub(super) const fn row(kind: Kind, neurons: usize) -> usize {
    match kind {
        Kind::Spikes => words(neurons),
        Kind::Numbers | Kind::Integers => padded(neurons),
    }
}

/// All values of a network for some samples, and what its ops work in. Ops take the buffer that they write out of it, and put
/// it back: it is never the one that they read.
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

/// What a convolution works in, for one sample at a time.
#[derive(Clone, Debug)]
pub(super) enum Scratch {
    Spikes {
        taps: Taps,
        pixels: Vec<f32>,
        line: Vec<f32>,
    },
    Numbers {
        patches: Vec<f32>,
        sums: Vec<f32>,
        active: Active,
    },
    /// In integers.
    Integers {
        /// Of spikes; else patches are copied.
        taps: Option<Taps>,
        patches: Vec<i32>,
        /// Integers side by side, and which of them are not 0.
        joined: Vec<i32>,
        active: Vec<u32>,
        sums: Vec<i32>,
    },
}

/// The active inputs of a product, sample by sample.
#[derive(Clone, Debug, Default)]
pub(super) struct Active {
    /// Where the list of each sample starts, and where the last one ends.
    pub(super) starts: Vec<usize>,
    pub(super) inputs: Vec<u32>,
    /// Which inputs are not 0, as words.
    pub(super) nonzero: Vec<u64>,
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

impl Scratch {
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Spikes { taps, pixels, line } => {
                taps.bytes() + size_of::<f32>() * (pixels.len() + line.len())
            }
            Self::Numbers {
                patches,
                sums,
                active,
            } => size_of::<f32>() * (patches.len() + sums.len()) + active.bytes(),
            Self::Integers {
                taps,
                patches,
                joined,
                active,
                sums,
            } => {
                let numbers = patches.len() + joined.len() + active.len() + sums.len();
                let taps = taps.as_ref().map_or(0, Taps::bytes);
                size_of::<i32>() * numbers + taps
            }
        }
    }
}

impl Active {
    /// Memory for so many rows of so many inputs.
    pub(super) fn new(rows: usize, inputs: usize) -> Self {
        let row_words = words(inputs);
        Self {
            starts: vec![0; rows + 1],
            inputs: vec![0; rows * row_words * WORD_BITS + SLACK],
            nonzero: vec![0; rows * row_words],
        }
    }

    fn bytes(&self) -> usize {
        size_of::<u32>() * self.inputs.len() + 8 * (self.starts.len() + self.nonzero.len())
    }

    /// Lists what is set in rows of so many neurons.
    #[inline(always)]
    pub(super) fn list(&mut self, spikes: &[u64], neurons: usize) {
        let rows = spikes.chunks_exact(words(neurons));
        for (row, spikes) in rows.enumerate() {
            self.starts[row + 1] = indices::append(spikes, &mut self.inputs, self.starts[row]);
        }
    }

    /// Lists what is not 0 in padded rows of so many numbers.
    #[inline(always)]
    pub(super) fn list_nonzero<S: Simd>(&mut self, simd: S, numbers: &[f32], neurons: usize) {
        let row_words = words(neurons);
        let rows = self.nonzero.chunks_exact_mut(row_words);
        for (row, (nonzero, numbers)) in rows.zip(numbers.chunks_exact(padded(neurons))).enumerate()
        {
            for (word, numbers) in nonzero.iter_mut().zip(numbers.chunks_exact(WORD_BITS)) {
                *word = 0;
                for (v, numbers) in numbers.chunks_exact(S::LANES).enumerate() {
                    let bits = simd.to_bits(simd.nonzero(simd.load(numbers)));
                    *word |= bits << (v * S::LANES);
                }
            }
            nonzero[row_words - 1] &= tail_mask(neurons);
            self.starts[row + 1] = indices::append(nonzero, &mut self.inputs, self.starts[row]);
        }
    }
}
