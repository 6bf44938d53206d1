//! Layers of neurons in continuous time, from spike to spike, and their exact gradients.
//!
//! Between two events a neuron follows
//!
//! ```text
//! dV/dt = -V/τ_mem + I/τ_mem        dI/dt = -I/τ_syn
//! ```
//!
//! An input spike adds its weight to `I`. Where `V` reaches the threshold `θ` from below, the neuron
//! fires and `V` goes on from 0; the time is found to the last bits, on no grid. Without a leak
//! (`τ_mem` infinite) `dV/dt = I/τ_syn`.
//!
//! The gradient with respect to weights, delays and times of input spikes is exact as long as no spike
//! appears or vanishes: EventProp (Wunderlich and Pehle, Scientific Reports 11, 2021), whose adjoint
//! jumps at the spikes alone. What a layer keeps for it are its spikes.
//!
//! | file | holds |
//! |---|---|
//! | `dynamics` | how a neuron goes from one event to the next, and when it fires |
//! | `arrivals` | when the spikes of a sample arrive at a neuron |
//! | `gradients` | where gradients go |
//! | `forward`, `backward` | a layer through the events of all samples, and the way back |
//! | `recurrent` | the same for layers whose spikes come back: all neurons go through time together |

mod arrivals;
mod backward;
mod dynamics;
mod forward;
mod gradients;
mod recurrent;

pub use backward::backward;
pub use dynamics::Dynamics;
pub use forward::forward;
pub use gradients::Gradients;

use crate::Error;

/// The spikes of all samples, one sample after another, in each in the order of their times.
#[derive(Clone, Copy, Debug)]
pub struct Trains<'a> {
    /// Where each sample begins, and where the last one ends: `[B + 1]`.
    pub starts: &'a [i64],
    /// When a spike occurs.
    pub times: &'a [f64],
    /// Which neuron it is of.
    pub neurons: &'a [i64],
}

/// Spikes that a layer fires.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fired {
    /// As [`Trains::starts`].
    pub starts: Vec<i64>,
    /// As [`Trains::times`].
    pub times: Vec<f64>,
    /// As [`Trains::neurons`].
    pub neurons: Vec<i64>,
    /// How fast the membrane rose where it reached the threshold.
    pub slopes: Vec<f64>,
}

/// The way of spikes back to the neurons of their own layer.
#[derive(Clone, Copy, Debug)]
pub struct Recurrent<'a> {
    /// `[neurons, neurons]`, from the second to the first.
    pub weights: &'a [f64],
    /// How long each spike travels; no time if `None`.
    pub delays: Option<&'a [f64]>,
}

/// A layer: every input reaches every neuron.
#[derive(Clone, Copy, Debug)]
pub struct Layer<'a> {
    /// Of each neuron.
    pub dynamics: Dynamics,
    /// `[neurons, inputs]`
    pub weights: &'a [f64],
    /// How long each spike travels, `[neurons, inputs]`; no time if `None`.
    pub delays: Option<&'a [f64]>,
    /// How its own spikes come back, if they do.
    pub recurrent: Option<Recurrent<'a>>,
    /// How many inputs it has.
    pub inputs: usize,
    /// How many neurons it has.
    pub neurons: usize,
    /// Neurons fire until then.
    pub until: f64,
    /// How often a neuron fires in a sample; it is silent afterwards.
    pub limit: usize,
}

impl Fired {
    /// The spikes, without slopes.
    #[must_use]
    pub fn trains(&self) -> Trains<'_> {
        Trains {
            starts: &self.starts,
            times: &self.times,
            neurons: &self.neurons,
        }
    }
}

impl Trains<'_> {
    /// How many samples there are.
    #[must_use]
    pub fn samples(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }

    /// The spikes of a sample.
    fn sample(&self, sample: usize) -> core::ops::Range<usize> {
        self.starts[sample] as usize..self.starts[sample + 1] as usize
    }

    fn check(&self, neurons: usize) -> Result<(), Error> {
        let events = self.times.len();
        Error::check_length("neurons", self.neurons.len(), &[events])?;
        let out_of_range = |what, found, limit| Error::OutOfRange { what, found, limit };
        let mut before = 0;
        for &start in self.starts {
            if start < before || start > events as i64 {
                return Err(out_of_range("the start of a sample", start, events + 1));
            }
            before = start;
        }
        let ends = [self.starts.first(), self.starts.last()].map(|end| end.copied().unwrap_or(-1));
        if ends != [0, events as i64] {
            return Err(out_of_range(
                "the end of the last sample",
                before,
                events + 1,
            ));
        }
        if let Some(&found) = self
            .neurons
            .iter()
            .find(|&&n| n < 0 || n as usize >= neurons)
        {
            return Err(out_of_range("the neuron of a spike", found, neurons));
        }
        for sample in 0..self.samples() {
            let times = &self.times[self.sample(sample)];
            let ascend = times.windows(2).all(|pair| pair[0] <= pair[1]);
            if !ascend || times.iter().any(|time| !time.is_finite()) {
                return Err(Error::Unordered { sample });
            }
        }
        Ok(())
    }
}

impl Layer<'_> {
    fn check(&self, inputs: Trains<'_>) -> Result<(), Error> {
        let synapses = [self.neurons, self.inputs];
        Error::check_length("weights", self.weights.len(), &synapses)?;
        if let Some(delays) = self.delays {
            Error::check_length("delays", delays.len(), &synapses)?;
        }
        if let Some(recurrent) = self.recurrent {
            let among = [self.neurons; 2];
            Error::check_length("recurrent weights", recurrent.weights.len(), &among)?;
            if let Some(delays) = recurrent.delays {
                Error::check_length("recurrent delays", delays.len(), &among)?;
            }
        }
        inputs.check(self.inputs)
    }

    /// The synapses of a neuron in a row of one number for each.
    fn row<'b>(&self, synapses: &'b [f64], neuron: usize) -> &'b [f64] {
        &synapses[neuron * self.inputs..][..self.inputs]
    }

    /// Elementary steps of a way through all events.
    fn work(&self, inputs: Trains<'_>) -> usize {
        // An arrival is some exponentials.
        inputs.times.len() * self.neurons * 8
    }
}
