//! Neurons, and what is left of their states.

use super::IntegerCase;
use super::products::Weights;

/// `x / 2^bits` as a rounding has it: the lower, the one nearer to 0, the nearest and upper of two.
fn shifted(x: i64, bits: u32, rounding: usize) -> i64 {
    let unit = 1 << bits;
    match rounding {
        0 => x.div_euclid(unit),
        1 => x / unit,
        _ => (2 * x + unit).div_euclid(2 * unit),
    }
}

const ROUNDINGS: [&str; 3] = ["floor", "toward_zero", "nearest"];

/// What is left of a state: nothing is lost, or a share of it by a shift, or by a factor for each neuron.
#[derive(Clone)]
enum Decay {
    None,
    Shift(u32, usize),
    Multiply(Vec<i32>, usize),
}

impl Decay {
    fn collect(&self, neuron: usize, state: i64, input: i64) -> i64 {
        match self {
            Self::None => (state + input).clamp(-(1 << 30), 1 << 30),
            Self::Shift(bits, rounding) => state - shifted(state, *bits, *rounding) + input,
            Self::Multiply(factors, rounding) => {
                shifted(state * i64::from(factors[neuron]), 15, *rounding) + input
            }
        }
    }

    fn bound(&self, neuron: usize, input: i64, amount: i64) -> i64 {
        let grown = match self {
            Self::None => return (1 << 30) + input + amount,
            Self::Shift(bits, _) => (input + 2) << bits,
            Self::Multiply(factors, _) => {
                let lost = 32768 - i64::from(factors[neuron]);
                ((input + 2) * 32768 + lost - 1) / lost
            }
        };
        grown.max(input + amount)
    }
}

impl IntegerCase {
    /// A decay, and its JSON.
    fn decay(&mut self, name: &str) -> (Decay, String) {
        let rounding = self.below(3);
        let round = ROUNDINGS[rounding];
        if self.below(2) == 0 {
            let bits = self.below(6) as u32;
            let key = format!(r#"{{"shift": {bits}, "round": "{round}"}}"#);
            return (Decay::Shift(bits, rounding), key);
        }
        let factors = (0..self.bounds.len()).map(|_| self.below(32_000) as i32);
        let factors: Vec<_> = factors.collect();
        self.file.integers(name, &self.shape, &factors);
        let key = format!(r#"{{"multiply": "{name}", "round": "{round}"}}"#);
        (Decay::Multiply(factors, rounding), key)
    }

    /// What the spikes `s` of the step before send back, and the name of the current.
    fn back(&mut self, i: &str) -> Option<Weights> {
        if self.shape.len() != 1 || self.below(2) == 0 {
            return None;
        }
        let n = self.shape[0];
        self.file.previous.push(format!(
            r#"{{"name": "s{i}", "shape": [{n}], "kind": "spikes"}}"#
        ));
        let made = self.weights(&format!("back{i}"), &[n, n], |_, _| 1);
        self.file.op(format!(
            r#""op": "linear", "in": "prev:s{i}", "out": "r{i}", {}"#,
            made.keys
        ));
        Some(made)
    }

    /// Neurons that the value drives.
    pub(super) fn fire(&mut self, i: &str) {
        let n = self.bounds.len();
        let kind = ["leaky", "if", "synaptic"][self.below(3)];
        let (mut decays, mut keys) = (Vec::new(), String::new());
        for key in ["alpha", "beta"] {
            if kind == "synaptic" || (kind == "leaky" && key == "beta") {
                let (decay, json) = self.decay(&format!("{key}{i}"));
                keys += &format!(r#""{key}": {json}, "#);
                decays.push(decay);
            }
        }
        if kind == "if" {
            decays.push(Decay::None);
        }
        let (reset, immediate) = (self.below(3), self.below(2) == 1);
        let least = self.below(2) as i64;
        let thresholds: Vec<_> = (0..n)
            .map(|k| self.below(1 + self.bounds[k] as usize / 3) as i32)
            .collect();
        self.file
            .integers(&format!("threshold{i}"), &self.shape, &thresholds);
        let thresholds: Vec<_> = thresholds.into_iter().map(i64::from).collect();
        let back = self.back(i);
        let amounts: Vec<_> = thresholds
            .iter()
            .map(|threshold| if reset == 0 { *threshold } else { 0 })
            .collect();
        let bound = |k: usize| {
            let input = self.bounds[k] + back.as_ref().map_or(0, |back| back.bounds[k]);
            let last = decays.len() - 1;
            let first = decays[0].bound(k, input, if last == 0 { amounts[k] } else { 0 });
            first.max(decays[last].bound(k, if last == 0 { input } else { first }, amounts[k]))
        };
        let bound = (0..n).map(bound).max().expect("neurons");
        let states = ["", r#""i{i}", "#][decays.len() - 1].replace("{i}", i);
        let recurrent = back
            .as_ref()
            .map_or("null".to_owned(), |_| format!(r#""r{i}""#));
        let keys = format!(
            r#""op": "{kind}", "arith": "i32", {keys} "threshold": "threshold{i}", "reset": "{}",
            "reset_delay": {}, "fire_at": "{}", "order": "integrate_first", "recurrent": {recurrent},
            "state": [{states}"m{i}"], "acc_bound": {bound}"#,
            ["subtract", "zero", "none"][reset],
            !immediate,
            ["gt", "ge"][least as usize],
        );
        let late = kind == "synaptic" || back.is_some();
        let (mut synapses, mut membranes, mut spikes) = (vec![0; n], vec![0; n], vec![0; n]);
        let (from, out, membrane) = (self.value.clone(), format!("s{i}"), format!("m{i}"));
        self.file
            .op(format!(r#""in": "{from}", "out": "{out}", {keys}"#));
        self.value = out.clone();
        self.bounds = vec![1; n];
        self.ops.push(Box::new(move |values| {
            let recurrent = back.as_ref().map(|back| back.sums(&spikes));
            for k in 0..n {
                let mut input = values[&from][k] + recurrent.as_ref().map_or(0, |r| r[k]);
                if let [synapse, _] = &decays[..] {
                    synapses[k] = synapse.collect(k, synapses[k], input);
                    input = synapses[k];
                }
                let above = |u: i64| u > thresholds[k] - least;
                let (decay, mut u) = (&decays[decays.len() - 1], membranes[k]);
                let before = above(u);
                if reset == 1 && before && !late {
                    u = 0;
                }
                u = decay.collect(k, u, input);
                if reset == 1 && before && late {
                    u = 0;
                }
                u -= amounts[k] * i64::from(before);
                let fired = above(u);
                if immediate {
                    u -= amounts[k] * (i64::from(fired) - i64::from(before));
                    if reset == 1 && fired && !before {
                        u = 0;
                    }
                }
                (membranes[k], spikes[k]) = (u, i64::from(fired));
            }
            values.insert(out.clone(), spikes.clone());
            values.insert(membrane.clone(), membranes.clone());
        }));
    }

    /// A leaky integrator, and its membrane as the output.
    pub(super) fn integrate(&mut self) {
        let (decay, json) = self.decay("readout");
        let bounds = self.bounds.iter().enumerate();
        let bound = bounds.map(|(k, bound)| decay.bound(k, *bound, 0)).max();
        let keys = format!(
            r#""op": "li", "arith": "i32", "beta": {json}, "state": ["u"], "acc_bound": {}"#,
            bound.expect("outputs")
        );
        let mut u = vec![0; self.bounds.len()];
        self.op(&keys, "y", move |x| {
            for (k, u) in u.iter_mut().enumerate() {
                *u = decay.collect(k, *u, x[k]);
            }
            u.clone()
        });
        self.file.output("y");
    }
}
