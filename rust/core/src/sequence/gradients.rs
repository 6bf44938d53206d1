//! The gradients that backward takes, and those that it writes.

use super::Layer;
use crate::Error;
use crate::tiling::{Shape, Strided, sum_repeats};

/// The gradients that come in.
#[derive(Clone, Debug)]
pub struct OutputGradients<'a> {
    /// Of the spikes, `[T, B, N]`.
    pub spikes: Strided<'a>,
    /// Per state: of its sequence, `[T, B, N]`.
    pub states: Vec<Strided<'a>>,
    /// Per state: of its last value, `[B, N]`.
    pub last: Vec<Strided<'a>>,
}

/// Where the gradients go; what is `None` is not computed.
#[derive(Debug, Default)]
pub struct Gradients<'a> {
    /// Of the current, `[T, B, N]`.
    pub current: Option<&'a mut [f32]>,
    /// Per state: of its initial value, `[B, N]`.
    pub initial: Vec<Option<&'a mut [f32]>>,
    /// Of what can be learned.
    pub learned: Option<Learned<'a>>,
}

/// Where the gradients of a layer's constants go: each is summed over what its view repeats.
#[derive(Debug, Default)]
pub struct Learned<'a> {
    /// Per parameter, in the layout of the parameter's own view.
    pub parameters: Vec<&'a mut [f32]>,
    /// Of the threshold, in the layout of its view.
    pub threshold: &'a mut [f32],
    /// Of the graded factor, in the layout of its view; not computed if `None`.
    pub graded_factor: Option<&'a mut [f32]>,
}

impl OutputGradients<'_> {
    /// Checks every view against a layer of that shape, with so many states.
    pub(crate) fn check(&self, shape: Shape, states: usize) -> Result<(), Error> {
        Error::check_length("gradients of states", self.states.len(), &[states])?;
        Error::check_length("gradients of last states", self.last.len(), &[states])?;
        self.spikes.check("gradient of spikes", shape)?;
        for view in &self.states {
            view.check("gradient of a state", shape)?;
        }
        self.last
            .iter()
            .try_for_each(|view| view.check("gradient of a last state", shape.once()))
    }
}

impl Gradients<'_> {
    /// Checks every length against the layer.
    pub(crate) fn check(&self, layer: &Layer<'_>) -> Result<(), Error> {
        let (shape, states) = (layer.shape, layer.neuron.states().len());
        Error::check_length("gradients of initial states", self.initial.len(), &[states])?;
        if let Some(out) = &self.current {
            Error::check_length("gradient of current", out.len(), &shape.all())?;
        }
        for out in self.initial.iter().flatten() {
            Error::check_length("gradient of an initial state", out.len(), &shape.row())?;
        }
        self.learned
            .as_ref()
            .map_or(Ok(()), |learned| learned.check(layer))
    }
}

impl Learned<'_> {
    fn check(&self, layer: &Layer<'_>) -> Result<(), Error> {
        let (found, parameters) = (self.parameters.len(), layer.parameters.len());
        Error::check_length("gradients of parameters", found, &[parameters])?;
        let lengths = self.parameters.iter().map(|out| out.len());
        let lengths = lengths.chain([self.threshold.len()]);
        let lengths = lengths.chain(self.graded_factor.iter().map(|out| out.len()));
        for (view, len) in constants(layer).zip(lengths) {
            Error::check_length("gradient of a parameter", len, &[view.data.len()])?;
        }
        Ok(())
    }

    /// Sums the gradients of all samples and neurons in a fixed order. `rows` holds a row of `B·N` for
    /// each of [`constants`], or none at all where there are no neurons.
    pub(crate) fn sum(self, layer: &Layer<'_>, rows: &[f32]) {
        let [samples, neurons] = layer.shape.row();
        let row = samples * neurons;
        let outputs = self.parameters.into_iter();
        let outputs = outputs.chain([self.threshold]).chain(self.graded_factor);
        for (k, (view, out)) in constants(layer).zip(outputs).enumerate() {
            sum_repeats(view, neurons, &rows[k * row..][..row], out);
        }
    }
}

/// The views of parameters, threshold and graded factor.
fn constants<'l>(layer: &'l Layer<'_>) -> impl Iterator<Item = &'l Strided<'l>> {
    let others = [&layer.threshold, &layer.graded_factor];
    layer.parameters.iter().chain(others)
}
