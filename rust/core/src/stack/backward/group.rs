//! Some samples back through all layers.

use super::reversed::Prepared;
use super::sums::Sums;
use crate::matmul::{
    FilteredErrors, Listed, Matrix, add_weight_gradient, dense_product, dense_stride,
    gradient_prefers_dense, packed_input_gradient, product,
};
use crate::parallel::Scratch;
use crate::sequence::{self, Errors, OutputGradients};
use crate::simd::{Columns, Isa};
use crate::spikes;
use crate::spikes::layout::{padded, words};
use crate::stack::samples::{layer_of, rows, starting_at, words_of};
use crate::tiling::{Shape, Strided};
use std::ops::Range;

/// Some samples, which share their sums.
pub(super) struct Group<'a> {
    /// Of the spikes that entered the first layer.
    pub(super) shape: Shape,
    pub(super) layers: &'a [Prepared<'a>],
    /// The gradient of the spikes of the last layer.
    pub(super) upstream: Strided<'a>,
    /// The samples that go through the layers together.
    pub(super) blocks: &'a [Range<usize>],
    /// Per layer.
    pub(super) sums: Vec<Sums<'a>>,
    /// Per layer and state: the gradient of its initial value.
    pub(super) initial: Vec<Vec<Option<Columns<'a, f32>>>>,
    /// The gradient of the spikes that entered the first layer.
    pub(super) input: Option<Columns<'a, f32>>,
}

/// What the layers of a block write, one after another: as long as the widest needs it.
struct Room<'s> {
    current: &'s mut [f32],
    /// Of the current.
    gradient: &'s mut [f32],
    active: Vec<u64>,
    errors: &'s mut [f32],
}

/// The gradient of the spikes that entered a layer, which the layer in front of it reads.
struct Sent<'s> {
    data: &'s mut [f32],
    /// The length of its rows.
    stride: usize,
}

impl Group<'_> {
    pub(super) fn run(mut self, isa: Isa) {
        let mut scratch = Scratch::take();
        let (mut room, mut sent) = self.room(isa, &mut scratch);
        for block in self.blocks {
            for i in (0..self.layers.len()).rev() {
                self.reverse(isa, i, block.clone(), &mut room, &mut sent);
            }
            self.give(block, &sent);
        }
        scratch.put_back();
    }

    /// Room for the largest block.
    fn room<'s>(&self, isa: Isa, scratch: &'s mut Scratch) -> (Room<'s>, Sent<'s>) {
        let samples = self.blocks.iter().map(Range::len).max().unwrap_or(0);
        let rows = self.shape.steps * samples;
        let layers = self.layers.iter().map(|layer| layer.pass);
        let neurons = layers.clone().map(|pass| pass.layer.neurons.shape.neurons);
        let neurons = neurons.max().unwrap_or(0);
        let strides = layers
            .clone()
            .map(|pass| dense_stride(isa, pass.layer.inputs()));
        let listed = if layers.clone().any(|pass| pass.lists_errors(isa)) {
            rows
        } else {
            0
        };
        let [current, gradient, errors, data] = scratch.slices([
            rows * neurons,
            rows * neurons,
            listed * padded(neurons),
            rows * strides.max().unwrap_or(0),
        ]);
        let room = Room {
            current,
            gradient,
            active: vec![0; listed * words(neurons)],
            errors,
        };
        (room, Sent { data, stride: 0 })
    }

    /// Sends the gradients of some samples back through a layer.
    fn reverse(
        &mut self,
        isa: Isa,
        i: usize,
        samples: Range<usize>,
        room: &mut Room<'_>,
        sent: &mut Sent<'_>,
    ) {
        let prepared = &self.layers[i];
        let pass = prepared.pass;
        let all = Shape {
            neurons: pass.layer.inputs(),
            ..self.shape
        };
        let shape = Shape {
            samples: samples.len(),
            ..pass.layer.neurons.shape
        };
        let part = Part {
            isa,
            prepared,
            spikes: words_of(pass.spikes, all, samples.clone()),
            samples: samples.clone(),
            shape,
            sends: i > 0 || self.input.is_some(),
        };
        let upstream = if i + 1 == self.layers.len() {
            self.upstream.starting_at(samples.start)
        } else {
            rows(sent.data, shape, sent.stride)
        };
        let first = self.blocks[0].start;
        let own = (samples.start - first) * shape.neurons..(samples.end - first) * shape.neurons;
        let initial = self.initial[i].iter_mut();
        let initial = initial.map(|out| Some(&mut out.as_mut()?.row(0)[own.clone()]));
        let decay = part.neurons(upstream, initial.collect(), room);
        let gradient = &room.gradient[..shape.work()];
        part.weights(gradient, &mut self.sums[i]);
        if part.sends {
            let errors = decay.map(|decay| FilteredErrors {
                shape,
                active: &room.active[..part.rows() * words(shape.neurons)],
                values: &room.errors[..part.rows() * padded(shape.neurons)],
                decay,
            });
            sent.stride = part.spikes(gradient, errors, sent.data);
        }
    }

    /// Writes the gradient of the spikes that entered the first layer, if it is wanted.
    fn give(&mut self, samples: &Range<usize>, sent: &Sent<'_>) {
        let Some(out) = &mut self.input else {
            return;
        };
        let inputs = self.shape.neurons;
        let first = samples.start - self.blocks[0].start;
        for row in 0..self.shape.steps * samples.len() {
            let (step, sample) = (row / samples.len(), first + row % samples.len());
            let from = &sent.data[row * sent.stride..][..inputs];
            out.row(step)[sample * inputs..][..inputs].copy_from_slice(from);
        }
    }
}

/// Some samples of one layer.
struct Part<'a> {
    isa: Isa,
    prepared: &'a Prepared<'a>,
    /// The spikes that entered.
    spikes: Vec<u64>,
    samples: Range<usize>,
    /// Of its neurons.
    shape: Shape,
    /// Whether the gradient of the spikes that entered is wanted.
    sends: bool,
}

/// `backward` has checked all that kernels check.
const CHECKED: &str = "the layers have been checked";

impl Part<'_> {
    fn rows(&self) -> usize {
        self.shape.steps * self.shape.samples
    }

    /// Computes the currents anew, and sends the gradients of spikes and last states back to them. By how
    /// much errors decay, if they are listed.
    fn neurons(
        &self,
        upstream: Strided<'_>,
        initial: Vec<Option<&mut [f32]>>,
        room: &mut Room<'_>,
    ) -> Option<f32> {
        let (isa, pass) = (self.isa, self.prepared.pass);
        let current = &mut room.current[..self.shape.work()];
        self.currents(current);
        let all = 0..self.shape.neurons;
        let layer = layer_of(&pass.layer.neurons, self.samples.clone(), all, current);
        let gradients = sequence::Gradients {
            current: Some(&mut room.gradient[..self.shape.work()]),
            initial,
            learned: None,
        };
        if self.sends && pass.lists_errors(isa) {
            let errors = Errors {
                active: &mut room.active[..self.rows() * words(self.shape.neurons)],
                values: &mut room.errors[..self.rows() * padded(self.shape.neurons)],
            };
            let run = sequence::backward_with_errors;
            let decay = run(isa, &layer, pass.surrogate, upstream, gradients, errors);
            return Some(decay.expect(CHECKED));
        }
        let zeros = || vec![Strided::constant(&0.0); layer.initial.len()];
        let incoming = OutputGradients {
            spikes: upstream,
            states: zeros(),
            last: match &pass.last {
                Some(last) => starting_at(last, self.samples.start),
                None => zeros(),
            },
        };
        sequence::backward(isa, &layer, pass.surrogate, &incoming, gradients).expect(CHECKED);
        None
    }

    /// What the spikes that entered make of the weights.
    fn currents(&self, out: &mut [f32]) {
        let (rows, layer) = (self.rows(), &self.prepared.pass.layer);
        match self.prepared.for_spikes() {
            _ if out.is_empty() => {}
            Some(weights) => {
                let listed = Listed::new(self.isa, &self.spikes, rows, layer.inputs());
                listed.product(self.isa, weights, 0..self.shape.neurons, layer.bias, out);
            }
            None => product(self.isa, &self.spikes, rows, layer.weights, layer.bias, out)
                .expect(CHECKED),
        }
    }

    /// Adds the gradients of the weights and of the bias to the sums.
    fn weights(&self, gradient: &[f32], sums: &mut Sums<'_>) {
        let (neurons, inputs) = (self.shape.neurons, self.prepared.pass.layer.inputs());
        let Sums { weights, bias } = sums.reborrow();
        if let Some(weights) = weights {
            let shape = [self.rows(), neurons];
            let grad = Matrix::new("gradient", gradient, shape, [neurons, 1]).expect(CHECKED);
            let add = add_weight_gradient;
            add(self.isa, &self.spikes, inputs, grad, weights, bias).expect(CHECKED);
        } else if let Some(bias) = bias {
            for row in gradient.chunks_exact(neurons.max(1)) {
                bias.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
            }
        }
    }

    /// Writes the gradient of the spikes that entered, and returns the length of its rows.
    fn spikes(
        &self,
        gradient: &[f32],
        errors: Option<FilteredErrors<'_>>,
        out: &mut [f32],
    ) -> usize {
        let inputs = self.prepared.pass.layer.inputs();
        if let Some(errors) = errors.filter(|_| inputs != 0 && !gradient.is_empty()) {
            let share = spikes::density(self.isa, errors.active, self.shape.work());
            if !gradient_prefers_dense(self.isa, share, self.rows(), inputs)
                && let Some(weights) = self.prepared.for_errors()
            {
                let out = &mut out[..self.rows() * inputs];
                packed_input_gradient(self.isa, errors, weights, out);
                return inputs;
            }
        }
        let stride = dense_stride(self.isa, inputs);
        let out = &mut out[..self.rows() * stride];
        dense_product(self.isa, gradient, self.prepared.for_gradients(), out);
        stride
    }
}
