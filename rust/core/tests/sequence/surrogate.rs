//! The surrogates, against their formulas in double precision.
//!
//! A step of a silent neuron at threshold 0 hands down a spike's gradient times the derivative at
//! its input current: so their values are read from the outside.

use crate::case::{Case, Quantity, Random};
use crate::views::{Layout, View};
use crate::{assert_same_bits, delayed};
use bitspike::neuron::Mechanism;
use bitspike::registry::AnySurrogate;
use bitspike::sequence::{Gradients, OutputGradients, backward};
use bitspike::simd::Isa;
use bitspike::tiling::{Shape, Strided};
use std::f64::consts::{PI, TAU};

/// A surrogate by name, with parameters.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Formula<'a> {
    pub(crate) name: &'static str,
    pub(crate) parameters: &'a [f32],
}

/// Every surrogate, with the parameters it is tested with.
pub(crate) const SURROGATES: &[Formula<'static>] = &[
    formula("atan", &[2.0]),
    formula("fast_sigmoid", &[25.0]),
    formula("sigmoid", &[25.0]),
    formula("straight_through_estimator", &[]),
    formula("triangular", &[0.75]),
    formula("spike_rate_escape", &[1.0, 25.0]),
    formula("heaviside", &[]),
    formula("leaky_spike_operator", &[0.1]),
    formula("sparse_fast_sigmoid", &[25.0, 0.5]),
    formula("triangle", &[1.0]),
    formula("boxcar", &[1.0]),
    formula("gaussian", &[0.5]),
    formula("multi_gaussian", &[0.15, 6.0, 0.5]),
    formula("superspike", &[100.0]),
    formula("tanh", &[1.0]),
    formula("erfc", &[2.0]),
    formula("piecewise_quadratic", &[1.0]),
    formula("piecewise_exp", &[1.0]),
    formula("disabled", &[]),
];

const fn formula<'a>(name: &'static str, parameters: &'a [f32]) -> Formula<'a> {
    Formula { name, parameters }
}

impl Formula<'_> {
    pub(crate) fn surrogate(self) -> AnySurrogate {
        AnySurrogate::new(self.name, self.parameters).expect("known surrogate")
    }

    /// The derivative.
    pub(crate) fn at(self, x: f64) -> f64 {
        let p = |i: usize| f64::from(self.parameters[i]);
        let if_else = |condition, a, b| if condition { a } else { b };
        match self.name {
            "atan" => p(0) / 2.0 / (1.0 + (PI * p(0) * x / 2.0).powi(2)),
            "fast_sigmoid" => (1.0 + p(0) * x.abs()).powi(-2),
            "sigmoid" => {
                let e = (-p(0) * x.abs()).exp();
                p(0) * e / (1.0 + e).powi(2)
            }
            "straight_through_estimator" => 1.0,
            "triangular" => if_else(x < 0.0, p(0), -p(0)),
            "spike_rate_escape" => p(1) * (-p(0) * (x - 1.0).abs()).exp(),
            "heaviside" => if_else(x > 0.0, 1.0, 0.0),
            "leaky_spike_operator" => if_else(x > 0.0, 1.0, p(0)),
            "sparse_fast_sigmoid" => if_else(x.abs() < p(1), (1.0 + p(0) * x.abs()).powi(-2), 0.0),
            "triangle" => (1.0 - x.abs() / p(0)).max(0.0) / p(0),
            "boxcar" => if_else(x.abs() < p(0), 0.5 / p(0), 0.0),
            "gaussian" => normal(x, p(0)),
            "multi_gaussian" => {
                let [h, wide, sigma] = [p(0), p(1) * p(2), p(2)];
                (1.0 + h) * normal(x, sigma)
                    - h * (normal(x + sigma, wide) + normal(x - sigma, wide))
            }
            "superspike" => (1.0 + p(0) * x.abs()).powi(-2),
            "tanh" => (p(0) * x).cosh().powi(-2),
            "erfc" => p(0) / PI.sqrt() * (-(p(0) * x).powi(2)).exp(),
            "piecewise_quadratic" => (p(0) - p(0).powi(2) * x.abs()).max(0.0),
            "piecewise_exp" => p(0) / 2.0 * (-p(0) * x.abs()).exp(),
            "disabled" => 0.0,
            other => unreachable!("{other} has no formula"),
        }
    }

    /// Whether a value is this derivative, to single precision.
    fn allows(self, x: f64, found: f32) -> bool {
        // One is a difference, which is exact relative to what it subtracts.
        let scale = if self.name == "multi_gaussian" {
            f64::from(self.parameters[0]).abs() / f64::from(self.parameters[2])
        } else {
            0.0
        };
        let exact = self.at(x);
        // Below e^-87 an exponential is 0.
        (f64::from(found) - exact).abs() <= 1e-6 * exact.abs().max(scale) + 1e-36
    }
}

/// A normal density.
fn normal(x: f64, sigma: f64) -> f64 {
    (-0.5 * (x / sigma).powi(2)).exp() / (sigma * TAU.sqrt())
}

/// The derivative as the library computes it.
fn derivatives(isa: Isa, formula: Formula<'_>, x: &[f32]) -> Vec<f32> {
    let shape = Shape {
        steps: 1,
        samples: 1,
        neurons: x.len(),
    };
    let [zero, one] = [0.0, 1.0];
    let mut case = Case::new(
        delayed(Mechanism::None),
        shape,
        Layout::Sequence,
        Layout::One,
        &mut Random::plain(0),
    );
    case.current.data.copy_from_slice(x);
    for (view, value) in [
        (&mut case.beta, zero),
        (&mut case.initial, zero),
        (&mut case.threshold, zero),
        (&mut case.graded, one),
    ] {
        view.data.fill(value);
    }
    let incoming = OutputGradients {
        spikes: Strided::constant(&one),
        states: vec![Strided::constant(&zero)],
        last: vec![Strided::constant(&zero)],
    };
    let mut current = vec![f32::NAN; x.len()];
    let gradients = Gradients {
        current: Some(&mut current),
        initial: vec![None],
        ..Gradients::default()
    };
    backward(
        isa,
        &case.layer(),
        formula.surrogate(),
        &incoming,
        gradients,
    )
    .expect("lengths fit");
    current
}

#[test]
fn every_surrogate_has_a_formula() {
    let tested: Vec<_> = SURROGATES
        .iter()
        .map(|formula| (formula.name, formula.parameters.len()))
        .collect();
    let known: Vec<_> = AnySurrogate::ALL
        .iter()
        .map(|(name, parameters)| (*name, parameters.len()))
        .collect();
    assert_eq!(tested, known);
}

#[test]
fn derivatives_follow_their_formulas() {
    // Multiples of 1/64: their products with the parameters are exact.
    let x: Vec<f32> = (-400..=400).map(|i| i as f32 / 64.0).collect();
    for &formula in SURROGATES {
        for &isa in Isa::available() {
            for (&x, found) in x.iter().zip(derivatives(isa, formula, &x)) {
                assert!(
                    formula.allows(f64::from(x), found),
                    "{formula:?} at {x}: {found:e}, not {:e} ({isa:?})",
                    formula.at(f64::from(x)),
                );
            }
        }
    }
}

#[test]
fn other_parameters_are_used() {
    let others = [
        formula("atan", &[3.5]),
        formula("fast_sigmoid", &[0.5]),
        formula("sigmoid", &[1.0]),
        formula("triangular", &[2.0]),
        formula("spike_rate_escape", &[0.5, 3.0]),
        formula("leaky_spike_operator", &[0.75]),
        formula("sparse_fast_sigmoid", &[2.0, 1.5]),
        formula("triangle", &[2.0]),
        formula("boxcar", &[0.25]),
        formula("gaussian", &[2.0]),
        formula("multi_gaussian", &[0.5, 2.0, 1.0]),
        formula("superspike", &[4.0]),
        formula("tanh", &[0.5]),
        formula("erfc", &[0.75]),
        formula("piecewise_quadratic", &[0.5]),
        formula("piecewise_exp", &[3.0]),
    ];
    let x: Vec<f32> = (-300..=300).map(|i| i as f32 / 64.0).collect();
    for formula in others {
        for (&x, found) in x.iter().zip(derivatives(Isa::Scalar, formula, &x)) {
            assert!(
                formula.allows(f64::from(x), found),
                "{formula:?} at {x}: {found:e}, not {:e}",
                formula.at(f64::from(x)),
            );
        }
    }
}

#[test]
fn instruction_sets_agree_on_any_number() {
    let mut random = Random::with_extremes(7, 4);
    let shape = Shape {
        steps: 1,
        samples: 1,
        neurons: 1000,
    };
    let x = View::new(Layout::Sequence, shape, || {
        4.0 * crate::case::Numbers::next(&mut random, Quantity::Gradient)
    });
    for &formula in SURROGATES {
        let expected = derivatives(Isa::Scalar, formula, &x.data);
        for &isa in Isa::available() {
            let found = derivatives(isa, formula, &x.data);
            assert_same_bits(formula.name, &found, &expected);
        }
    }
}

/// Densities integrate to 1, some others to known numbers; the arctangent's tails are cut off here.
#[test]
fn integrals() {
    const PER_UNIT: i32 = 256;
    const REACH: i32 = 16;
    let midpoints: Vec<f32> = (-REACH * PER_UNIT..REACH * PER_UNIT)
        .map(|i| (i as f32 + 0.5) / PER_UNIT as f32)
        .collect();
    let arctangent = 2.0 / PI * (PI * f64::from(REACH)).atan();
    for (name, expected) in [
        ("atan", arctangent),
        ("sigmoid", 1.0),
        ("triangle", 1.0),
        ("boxcar", 1.0),
        ("gaussian", 1.0),
        ("multi_gaussian", 0.85),
        ("tanh", 2.0),
        ("erfc", 1.0),
        ("piecewise_quadratic", 1.0),
        ("piecewise_exp", 1.0),
    ] {
        let formula = SURROGATES.iter().find(|formula| formula.name == name);
        let values = derivatives(Isa::Scalar, *formula.expect("in the list"), &midpoints);
        let sum: f64 = values.into_iter().map(f64::from).sum();
        let integral = sum / f64::from(PER_UNIT);
        assert!((integral - expected).abs() < 1e-4, "{name}: {integral}");
    }
}
