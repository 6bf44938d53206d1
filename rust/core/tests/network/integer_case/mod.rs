//! Random networks in integers, and what plain integers of 64 bits make of them, number by number.

#![allow(dead_code, reason = "the test of allocations needs a part of it")]

mod neurons;
mod products;

use crate::file::File;
use std::collections::BTreeMap;

pub(crate) const STEPS: usize = 8;
pub(crate) const INPUTS: usize = 72;

/// Values by their names.
pub(crate) type Values = BTreeMap<String, Vec<i64>>;
/// What an op makes of the values of a step.
type Op = Box<dyn FnMut(&mut Values)>;

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
}
