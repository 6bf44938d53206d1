//! What the loops must compute, one neuron at a time and as snnTorch writes it.

use crate::case::Case;
use crate::surrogate::Formula;
use crate::views::View;
use bitspike::neuron::Mechanism;
use bitspike::spikes::layout::words;
use std::ops::{AddAssign, Mul, Sub, SubAssign};

/// A number and how large the terms are that it is a sum of: the scale of its rounding errors.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Scaled {
    pub(crate) value: f64,
    pub(crate) size: f64,
}

impl From<f64> for Scaled {
    fn from(value: f64) -> Self {
        Self {
            value,
            size: value.abs(),
        }
    }
}

impl From<f32> for Scaled {
    fn from(value: f32) -> Self {
        f64::from(value).into()
    }
}

impl Mul for Scaled {
    type Output = Self;
    fn mul(self, other: Self) -> Self {
        Self {
            value: self.value * other.value,
            size: self.size * other.size,
        }
    }
}

impl AddAssign for Scaled {
    fn add_assign(&mut self, other: Self) {
        self.value += other.value;
        self.size += other.size;
    }
}

impl SubAssign for Scaled {
    fn sub_assign(&mut self, other: Self) {
        self.value -= other.value;
        self.size += other.size;
    }
}

impl Sub for Scaled {
    type Output = Self;
    fn sub(mut self, other: Self) -> Self {
        self -= other;
        self
    }
}

/// 1 if `x` is above 0: `H(x)`.
fn step(x: f32) -> f32 {
    f32::from(u8::from(x > 0.0))
}

/// What forward must write.
pub(crate) struct Outputs {
    pub(crate) packed: Vec<u64>,
    pub(crate) dense: Vec<f32>,
    pub(crate) membrane: Vec<f32>,
    pub(crate) last: Vec<f32>,
}

/// What one step of a neuron sees.
struct Step {
    /// `U[t-1]`
    before: f32,
    /// `U[t]` as it is compared with the threshold.
    compared: f32,
    /// `R`
    reset: f32,
    /// `H(U[t] - θ)`
    fired: f32,
    /// `D`
    again: f32,
    /// `U[t]` as it is returned.
    after: f32,
}

/// One neuron through all steps.
fn neuron(case: &Case, sample: usize, neuron: usize) -> Vec<Step> {
    let beta = case.beta.at(0, sample, neuron);
    let theta = case.threshold.at(0, sample, neuron);
    let mut u = case.initial.at(0, sample, neuron);
    let one_step = |t| {
        let before = u;
        let current = case.current.at(t, sample, neuron);
        let reset = step(before - theta);
        let compared = match case.reset.mechanism {
            Mechanism::Subtract => ((beta * u) + current) - (reset * theta),
            Mechanism::Zero => (beta * ((1.0 - reset) * u)) + current,
            Mechanism::None => (beta * u) + current,
            Mechanism::SubtractBeta => ((beta * u) + current) - (reset * (beta * theta)),
        };
        let fired = step(compared - theta);
        let mut again = fired - reset;
        u = compared;
        if case.reset.immediate {
            match case.reset.mechanism {
                Mechanism::Subtract => u -= again * theta,
                Mechanism::Zero => {
                    // Where snnTorch would double the membrane of a silent neuron.
                    again = fired - reset * fired;
                    u -= again * u;
                }
                Mechanism::None => {}
                Mechanism::SubtractBeta => unreachable!("has no immediate form"),
            }
        }
        Step {
            before,
            compared,
            reset,
            fired,
            again,
            after: u,
        }
    };
    (0..case.shape.steps).map(one_step).collect()
}

pub(crate) fn forward(case: &Case) -> Outputs {
    let (samples, neurons) = (case.shape.samples, case.shape.neurons);
    let mut outputs = Outputs {
        packed: vec![0; case.shape.steps * samples * words(neurons)],
        dense: vec![0.0; case.len()],
        membrane: vec![0.0; case.len()],
        last: vec![0.0; case.row_len()],
    };
    for b in 0..samples {
        for n in 0..neurons {
            let place = b * neurons + n;
            outputs.last[place] = case.initial.at(0, b, n);
            for (t, step) in neuron(case, b, n).into_iter().enumerate() {
                let word = (t * samples + b) * words(neurons) + n / 64;
                outputs.packed[word] |= (step.fired as u64) << (n % 64);
                outputs.dense[t * case.row_len() + place] = step.fired * case.graded.at(0, b, n);
                outputs.membrane[t * case.row_len() + place] = step.after;
                outputs.last[place] = step.after;
            }
        }
    }
    outputs
}

/// The gradients that come in.
pub(crate) struct Incoming {
    pub(crate) spikes: View,
    pub(crate) membrane: View,
    pub(crate) last: View,
}

/// What backward must write.
pub(crate) struct Gradients {
    pub(crate) current: Vec<Scaled>,
    pub(crate) initial: Vec<Scaled>,
    pub(crate) beta: Vec<Scaled>,
    pub(crate) threshold: Vec<Scaled>,
    pub(crate) graded: Vec<Scaled>,
}

pub(crate) fn backward(case: &Case, surrogate: Formula<'_>, incoming: &Incoming) -> Gradients {
    let zeros = |len| vec![Scaled::default(); len];
    let mut gradients = Gradients {
        current: zeros(case.len()),
        initial: zeros(case.row_len()),
        beta: zeros(case.beta.data.len()),
        threshold: zeros(case.threshold.data.len()),
        graded: zeros(case.graded.data.len()),
    };
    for b in 0..case.shape.samples {
        for n in 0..case.shape.neurons {
            back_through(case, surrogate, incoming, (b, n), &mut gradients);
        }
    }
    gradients
}

/// One neuron through all steps, backward; its flags and membranes are those of single precision.
fn back_through(
    case: &Case,
    surrogate: Formula<'_>,
    incoming: &Incoming,
    (b, n): (usize, usize),
    gradients: &mut Gradients,
) {
    let place = b * case.shape.neurons + n;
    let theta_single = case.threshold.at(0, b, n);
    let [beta, theta, gamma] =
        [&case.beta, &case.threshold, &case.graded].map(|view| Scaled::from(view.at(0, b, n)));
    let of_beta = &mut gradients.beta[case.beta.offset(0, b, n)];
    let of_theta = &mut gradients.threshold[case.threshold.offset(0, b, n)];
    let of_gamma = &mut gradients.graded[case.graded.offset(0, b, n)];
    let mut carry = Scaled::from(incoming.last.at(0, b, n));

    for (t, step) in neuron(case, b, n).into_iter().enumerate().rev() {
        let [before, compared, reset, fired, again] = [
            step.before,
            step.compared,
            step.reset,
            step.fired,
            step.again,
        ]
        .map(Scaled::from);
        let spike = Scaled::from(incoming.spikes.at(t, b, n));
        let slope = Scaled::from(surrogate.at(f64::from(step.compared - theta_single)));
        let mut delta = carry;
        delta += incoming.membrane.at(t, b, n).into();

        let mut through = gamma * spike;
        if case.reset.immediate {
            match case.reset.mechanism {
                Mechanism::Subtract => {
                    through -= theta * delta;
                    *of_theta -= again * delta;
                }
                Mechanism::Zero => {
                    through -= compared * delta;
                    delta = (Scaled::from(1.0) - again) * delta;
                }
                Mechanism::None => {}
                Mechanism::SubtractBeta => unreachable!("has no immediate form"),
            }
        }
        let through = through * slope;
        delta += through;
        *of_theta -= through;
        *of_gamma += spike * fired;
        gradients.current[t * case.row_len() + place] = delta;

        let mut kept = Scaled::from(1.0);
        match case.reset.mechanism {
            Mechanism::Subtract => *of_theta -= delta * reset,
            Mechanism::SubtractBeta => {
                *of_theta -= delta * reset * beta;
                *of_beta -= delta * reset * theta;
            }
            Mechanism::Zero => kept = Scaled::from(1.0 - step.reset),
            Mechanism::None => {}
        }
        *of_beta += delta * kept * before;
        carry = beta * kept * delta;
    }
    gradients.initial[place] = carry;
}
