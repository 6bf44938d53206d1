//! Some samples back through all layers.

use super::sums::Sums;
use crate::matmul::{
    FilteredErrors, Matrix, add_weight_gradient, dense_product, dense_stride,
    gradient_prefers_dense, input_gradient, product,
};
use crate::registry::AnySurrogate;
use crate::sequence::{self, Errors, OutputGradients};
use crate::simd::{Columns, Isa};
use crate::spikes;
use crate::spikes::layout::{padded, words};
use crate::stack::Layer;
use crate::stack::samples::{layer_of, rows, starting_at, words_of};
use crate::tiling::{Shape, Strided};
use std::ops::Range;

/// What is read of a layer.
pub(super) struct Pass<'a> {
    pub(super) layer: Layer<'a>,
    pub(super) surrogate: AnySurrogate,
    /// The spikes of all samples that entered it.
    pub(super) spikes: &'a [u64],
    pub(super) last: Option<Vec<Strided<'a>>>,
}

/// Some samples, which share their sums.
pub(super) struct Group<'a> {
    /// Of the spikes that entered the first layer.
    pub(super) shape: Shape,
    pub(super) layers: &'a [Pass<'a>],
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

/// What the layers of a block write, one after another.
struct Room {
    current: Vec<f32>,
    /// Of the current.
    gradient: Vec<f32>,
    /// Of the spikes that entered a layer.
    upstream: Vec<f32>,
    active: Vec<u64>,
    errors: Vec<f32>,
}

impl Group<'_> {
    pub(super) fn run(mut self, isa: Isa) {
        let mut room = self.room(isa);
        for block in self.blocks {
            // The length of the rows in which the layer behind has left the gradient of its spikes.
            let mut arrived = None;
            for i in (0..self.layers.len()).rev() {
                arrived = Some(self.reverse(isa, i, block.clone(), arrived, &mut room));
            }
            self.give(block, arrived, &room);
        }
    }

    /// Room for the widest layer and the largest block.
    fn room(&self, isa: Isa) -> Room {
        let samples = self.blocks.iter().map(Range::len).max().unwrap_or(0);
        let rows = self.shape.steps * samples;
        let most = |of: &dyn Fn(&Pass<'_>) -> usize| self.layers.iter().map(of).max().unwrap_or(0);
        let neurons = most(&|pass| pass.layer.neurons.shape.neurons);
        let listed = self.layers.iter().any(|pass| pass.lists_errors(isa));
        let listed = if listed { rows } else { 0 };
        Room {
            current: vec![0.0; rows * neurons],
            gradient: vec![0.0; rows * neurons],
            upstream: vec![0.0; rows * most(&|pass| dense_stride(isa, pass.layer.inputs()))],
            active: vec![0; listed * words(neurons)],
            errors: vec![0.0; listed * padded(neurons)],
        }
    }

    /// Some samples of a layer. Returns the length of the rows of the gradient that it leaves.
    fn reverse(
        &mut self,
        isa: Isa,
        i: usize,
        samples: Range<usize>,
        arrived: Option<usize>,
        room: &mut Room,
    ) -> usize {
        let pass = &self.layers[i];
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
            pass,
            spikes: words_of(pass.spikes, all, samples.clone()),
            samples: samples.clone(),
            shape,
            sends: i > 0 || self.input.is_some(),
        };
        let upstream = match arrived {
            None => self.upstream.starting_at(samples.start),
            Some(stride) => rows(&room.upstream, shape, stride),
        };
        let first = self.blocks[0].start;
        let own = (samples.start - first) * shape.neurons..(samples.end - first) * shape.neurons;
        let initial = self.initial[i].iter_mut();
        let initial = initial.map(|out| Some(&mut out.as_mut()?.row(0)[own.clone()]));
        let neurons = Neurons {
            current: &mut room.current[..shape.work()],
            gradient: &mut room.gradient[..shape.work()],
            active: &mut room.active,
            errors: &mut room.errors,
        };
        let decay = part.neurons(upstream, initial.collect(), neurons);
        let gradient = &room.gradient[..shape.work()];
        part.weights(gradient, &mut self.sums[i]);
        if !part.sends {
            return 0;
        }
        let listed = decay.map(|decay| FilteredErrors {
            shape,
            active: &room.active[..part.rows() * words(shape.neurons)],
            values: &room.errors[..part.rows() * padded(shape.neurons)],
            decay,
        });
        part.spikes(gradient, listed, &mut room.upstream)
    }

    /// Writes the gradient of the spikes that entered the first layer, if it is wanted.
    fn give(&mut self, samples: &Range<usize>, stride: Option<usize>, room: &Room) {
        let (Some(out), Some(stride)) = (&mut self.input, stride) else {
            return;
        };
        let inputs = self.shape.neurons;
        let first = samples.start - self.blocks[0].start;
        for row in 0..self.shape.steps * samples.len() {
            let (step, sample) = (row / samples.len(), first + row % samples.len());
            let from = &room.upstream[row * stride..][..inputs];
            out.row(step)[sample * inputs..][..inputs].copy_from_slice(from);
        }
    }
}

impl Pass<'_> {
    /// Whether few of the layer's errors may be other than 0, and they make its gradient.
    fn lists_errors(&self, isa: Isa) -> bool {
        let shape = self.layer.neurons.shape;
        let rows = shape.steps * shape.samples;
        self.last.is_none()
            && self.surrogate.is_compact()
            && self.layer.neurons.decay().is_some()
            && !gradient_prefers_dense(isa, 0.0, rows, self.layer.inputs())
    }
}

/// What the neurons of a block write.
struct Neurons<'a> {
    current: &'a mut [f32],
    gradient: &'a mut [f32],
    active: &'a mut [u64],
    errors: &'a mut [f32],
}

/// Some samples of one layer.
struct Part<'a> {
    isa: Isa,
    pass: &'a Pass<'a>,
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
        to: Neurons<'_>,
    ) -> Option<f32> {
        let Self { isa, pass, .. } = *self;
        let (weights, bias) = (pass.layer.weights, pass.layer.bias);
        let made = product(isa, &self.spikes, self.rows(), weights, bias, to.current);
        made.expect(CHECKED);
        let layer = layer_of(&pass.layer.neurons, self.samples.clone(), to.current);
        let gradients = sequence::Gradients {
            current: Some(to.gradient),
            initial,
            learned: None,
        };
        if self.sends && pass.lists_errors(isa) {
            let errors = Errors {
                active: &mut to.active[..self.rows() * words(self.shape.neurons)],
                values: &mut to.errors[..self.rows() * padded(self.shape.neurons)],
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

    /// Adds the gradients of the weights and of the bias to the sums.
    fn weights(&self, gradient: &[f32], sums: &mut Sums<'_>) {
        let (neurons, inputs) = (self.shape.neurons, self.pass.layer.inputs());
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
        let inputs = self.pass.layer.inputs();
        let weights = self.pass.layer.weights.transposed();
        if let Some(errors) = errors {
            let active = spikes::count(self.isa, errors.active) as f64;
            let share = active / self.shape.work().max(1) as f64;
            if !gradient_prefers_dense(self.isa, share, self.rows(), inputs) {
                let out = &mut out[..self.rows() * inputs];
                if input_gradient(self.isa, errors, weights, out).expect(CHECKED) {
                    return inputs;
                }
            }
        }
        let stride = dense_stride(self.isa, inputs);
        dense_product(
            self.isa,
            gradient,
            weights,
            &mut out[..self.rows() * stride],
        );
        stride
    }
}
