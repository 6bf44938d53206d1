//! Random networks in integers, and what plain integers of 64 bits make of them, number by number.

#![allow(dead_code, reason = "the test of allocations needs a part of it")]

use crate::file::File;
use bitspike::network::Dtype;
use std::collections::BTreeMap;

pub(crate) const STEPS: usize = 8;
pub(crate) const INPUTS: usize = 72;

/// Values by their names.
pub(crate) type Values = BTreeMap<String, Vec<i64>>;
/// What an op makes of the values of a step.
type Op = Box<dyn FnMut(&mut Values)>;

/// What a product is made of.
struct Weights {
    weights: Vec<i64>,
    bias: Vec<i64>,
    bounds: Vec<i64>,
    keys: String,
}

impl Weights {
    fn sums(&self, x: &[i64]) -> Vec<i64> {
        let rows = self.weights.chunks(x.len()).zip(&self.bias);
        let sum =
            |(row, bias): (&[i64], &i64)| bias + row.iter().zip(x).map(|(q, x)| q * x).sum::<i64>();
        rows.map(sum).collect()
    }
}

/// A file under construction, and its ops.
pub(crate) struct IntegerCase {
    pub(crate) file: File,
    ops: Vec<Op>,
    random: u64,
    shape: Vec<usize>,
    value: String,
    /// The largest magnitude of each neuron of the value.
    bounds: Vec<i64>,
}

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
    pub(crate) fn new(seed: u64) -> Self {
        let mut case = Self {
            file: File::new(&[2, 6, 6], "spikes"),
            ops: Vec::new(),
            random: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15),
            shape: vec![2, 6, 6],
            value: "x".to_owned(),
            bounds: vec![1; INPUTS],
        };
        for i in 0..1 + case.below(3) {
            match (case.below(7), case.shape.len()) {
                (0, 3) => case.conv(&format!("{i}"), false),
                (1, 3) => case.conv(&format!("{i}"), true),
                (2, 3) => {
                    case.pool(&format!("p{i}"), "sumpool");
                    case.conv(&format!("{i}"), false);
                }
                (3, 3) => {
                    case.pool(&format!("p{i}"), "sumpool");
                    case.fire(&format!("{i}"));
                }
                (4, _) => case.delay(&format!("d{i}")),
                _ => case.dense(&format!("{i}")),
            }
            let output = case.value.clone();
            case.file.output(&output);
        }
        let outputs = 1 + case.below(9);
        case.linear("last", outputs);
        case.integrate();
        case
    }

    /// The values of each step, for an input of zeros and ones.
    pub(crate) fn run(mut self, steps: &[Vec<i64>]) -> Vec<Values> {
        let run = |input: &Vec<i64>| {
            let mut values = Values::from([("x".to_owned(), input.clone())]);
            self.ops.iter_mut().for_each(|op| op(&mut values));
            values
        };
        steps.iter().map(run).collect()
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.random = self
            .random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) as usize % limit
    }

    /// Adds the JSON of an op and its formula from one value to another.
    fn op(&mut self, keys: &str, out: &str, mut formula: impl FnMut(&[i64]) -> Vec<i64> + 'static) {
        self.file
            .op(format!(r#""in": "{}", "out": "{out}", {keys}"#, self.value));
        let (from, to) = (self.value.clone(), out.to_owned());
        self.ops.push(Box::new(move |values| {
            let made = formula(&values[&from]);
            values.insert(to.clone(), made);
        }));
        self.value = out.to_owned();
    }

    /// Weights of 8, 4 or 2 bits, a bias of some outputs, the bound of each for inputs of these bounds,
    /// and the keys of all.
    fn weights(
        &mut self,
        name: &str,
        shape: &[usize],
        inputs: impl Fn(usize, usize) -> i64,
    ) -> Weights {
        let bits = [8, 4, 2][self.below(3)];
        let shift = self.below(9 - bits);
        let (outputs, row) = (shape[0], shape[1..].iter().product::<usize>());
        let weights: Vec<_> = (0..outputs * row)
            .map(|_| self.below(1 << bits) as i64 - (1 << (bits - 1)))
            .collect();
        let mut packed = vec![0_u8; outputs * (row * bits).div_ceil(8)];
        for (i, weight) in weights.iter().enumerate() {
            let at = i / row * (row * bits).div_ceil(8) * 8 + i % row * bits;
            packed[at / 8] |= ((*weight as u8) & (((1_u16 << bits) - 1) as u8)) << (at % 8);
        }
        let weight = format!("{name}.weight");
        if bits == 8 {
            self.file.bytes_of(&weight, Dtype::I8, shape, packed);
        } else {
            let stored = [outputs, packed.len() / outputs];
            self.file.bytes_of(&weight, Dtype::U8, &stored, packed);
        }
        let weights: Vec<_> = weights.iter().map(|weight| weight << shift).collect();
        let mut bias = "null".to_owned();
        let mut biases = vec![0; outputs];
        if self.below(3) > 0 {
            let numbers: Vec<_> = (0..outputs).map(|_| self.below(101) as i32 - 50).collect();
            self.file
                .integers(&format!("{name}.bias"), &[outputs], &numbers);
            bias = format!(r#""{name}.bias""#);
            biases = numbers.into_iter().map(i64::from).collect();
        }
        let of_output = |output: usize| {
            let weights = weights[output * row..][..row].iter().enumerate();
            let products = weights.map(|(tap, weight)| weight.abs() * inputs(output, tap));
            products.sum::<i64>() + biases[output].abs()
        };
        let bounds: Vec<_> = (0..outputs).map(of_output).collect();
        let largest = bounds.iter().max().expect("outputs");
        let keys = format!(
            r#""arith": "i32", "weight": "{weight}", "shape": {shape:?}, "bits": {bits},
            "shift": {shift}, "bias": {bias}, "acc_bound": {largest}"#
        );
        Weights {
            weights,
            bias: biases,
            bounds,
            keys,
        }
    }

    fn linear(&mut self, name: &str, outputs: usize) {
        self.op(r#""op": "flatten""#, &format!("f{name}"), <[i64]>::to_vec);
        let before = self.bounds.clone();
        let made = self.weights(name, &[outputs, before.len()], |_, tap| before[tap]);
        self.bounds = made.bounds.clone();
        self.shape = vec![outputs];
        let keys = format!(r#""op": "linear", {}"#, made.keys);
        self.op(&keys, &format!("c{name}"), move |x| made.sums(x));
    }

    fn dense(&mut self, name: &str) {
        let outputs = 1 + self.below(150);
        self.linear(name, outputs);
        self.fire(name);
    }

    /// A border of 1, and a kernel of up to 3 by 3.
    fn conv(&mut self, name: &str, pooled: bool) {
        let [channels, height, width] = self.shape[..] else {
            unreachable!("maps");
        };
        let groups = 1 + self.below(2) * usize::from(channels % 2 == 0);
        let (outputs, kernel) = (groups * (1 + self.below(20)), 1 + self.below(height.min(3)));
        let (channels, of_group) = (channels / groups, outputs / groups);
        let maps = self.bounds.chunks(height * width);
        let maps: Vec<_> = maps.map(|map| *map.iter().max().expect("pixels")).collect();
        let channel = move |o: usize, tap: usize| o / of_group * channels + tap / kernel / kernel;
        let shape = [outputs, channels, kernel, kernel];
        let made = self.weights(name, &shape, |o, tap| maps[channel(o, tap)]);
        let size = [height, width].map(|size| size + 3 - kernel);
        let pixels = size[0] * size[1];
        self.bounds = made
            .bounds
            .iter()
            .flat_map(|&bound| vec![bound; pixels])
            .collect();
        self.shape = vec![outputs, size[0], size[1]];
        let keys = format!(
            r#""op": "conv2d", {}, "groups": {groups}, "stride": [1, 1], "padding": [1, 1],
            "dilation": [1, 1]"#,
            made.keys
        );
        self.op(&keys, &format!("c{name}"), move |x| {
            let sum = |place: usize| {
                let (o, y, column) = (place / pixels, place / size[1] % size[0], place % size[1]);
                let taps = channels * kernel * kernel;
                let products = (0..taps).map(|tap| {
                    let [y, column] = [y + tap / kernel % kernel, column + tap % kernel];
                    if !(1..=height).contains(&y) || !(1..=width).contains(&column) {
                        return 0;
                    }
                    let pixel = (channel(o, tap) * height + y - 1) * width + column - 1;
                    made.weights[o * taps + tap] * x[pixel]
                });
                made.bias[o] + products.sum::<i64>()
            };
            (0..outputs * pixels).map(sum).collect()
        });
        if pooled {
            self.pool(&format!("p{name}"), "maxpool");
        }
        self.fire(name);
    }

    /// Windows of 2 by 2, if the maps are so large.
    fn pool(&mut self, out: &str, op: &str) {
        let [channels, height, width] = self.shape[..] else {
            unreachable!("maps");
        };
        let (window, largest) = (height.min(2), op == "maxpool");
        let size = [height / window, width / window];
        let pooled = move |x: &[i64]| {
            let of_window = |place: usize| {
                let (c, y, column) = (
                    place / size[1] / size[0],
                    place / size[1] % size[0],
                    place % size[1],
                );
                let numbers = (0..window * window).map(|i| {
                    let (y, column) = (y * window + i / window, column * window + i % window);
                    x[(c * height + y) * width + column]
                });
                if largest {
                    numbers.max().expect("some")
                } else {
                    numbers.sum()
                }
            };
            (0..channels * size[0] * size[1])
                .map(of_window)
                .collect::<Vec<_>>()
        };
        let keys = format!(
            r#""op": "{op}", "arith": "i32", "kernel": [{window}, {window}],
            "stride": [{window}, {window}]"#
        );
        self.bounds = pooled(&self.bounds);
        self.shape = vec![channels, size[0], size[1]];
        self.op(&keys, out, pooled);
    }

    fn delay(&mut self, out: &str) {
        let steps = 1 + self.below(3);
        let mut ring = vec![vec![0; self.bounds.len()]; steps];
        let keys = format!(r#""op": "delay", "steps": {steps}"#);
        self.op(&keys, out, move |x| {
            ring.push(x.to_vec());
            ring.remove(0)
        });
    }

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
    fn fire(&mut self, i: &str) {
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
    fn integrate(&mut self) {
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
