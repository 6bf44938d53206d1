//! Neurons.

use super::{Case, STEPS};
use crate::layers::Firing;
use bitspike::matmul::Matrix;
use bitspike::neuron::{Mechanism, Reset};
use bitspike::recurrent::{self, Connection};
use bitspike::registry::NeuronKind;
use bitspike::sequence;
use bitspike::spikes::layout::words;
use bitspike::tiling::{Shape, Strided};
use std::fmt::Write;

impl Case {
    /// Neurons that the current `c{i}` drives.
    pub(super) fn fire(&mut self, i: usize, current: &[f32], firing: Firing) {
        let neuron = NeuronKind::ALL[firing.kind];
        let mechanism = neuron.resets()[firing.mechanism % neuron.resets().len()];
        let immediate = firing.immediate
            && neuron.has_immediate_reset()
            && mechanism != Mechanism::SubtractBeta;
        let recurrent = firing.recurrent.filter(|_| neuron.has_recurrent_layers());
        let n = self.neurons();
        let parameters: Vec<_> = neuron
            .parameters()
            .iter()
            .map(|_| self.numbers(n, 0.4, 0.95))
            .collect();
        let mut keys = String::new();
        for (name, numbers) in neuron.parameters().iter().zip(&parameters) {
            self.file
                .tensor(&format!("{name}{i}"), &self.shape, numbers);
            write!(keys, r#""{name}": "{name}{i}", "#).expect("a string");
        }
        let weight = self.numbers(n * n, -0.4, 0.4);
        let came_back = match recurrent {
            None => "null".to_owned(),
            Some(dense) => {
                self.file.previous.push(format!(
                    r#"{{"name": "s{i}", "shape": {:?}, "kind": "spikes"}}"#,
                    self.shape
                ));
                if dense {
                    self.file.tensor(&format!("back{i}"), &[n, n], &weight);
                    self.file.op(format!(
                        r#""op": "linear", "in": "prev:s{i}", "out": "r{i}", "weight": "back{i}", "bias": null"#
                    ));
                } else {
                    self.file.tensor(&format!("back{i}"), &[n], &weight[..n]);
                    self.file.op(format!(
                        r#""op": "scale", "in": "prev:s{i}", "out": "r{i}", "factor": "back{i}""#
                    ));
                }
                format!(r#""r{i}""#)
            }
        };
        let states = neuron.states().len();
        let names: Vec<_> = (1..states)
            .map(|k| format!(r#""state{k} of {i}""#))
            .collect();
        let names = [names, vec![format!(r#""m{i}""#)]].concat().join(", ");
        let rest = self.numbers(states, -0.2, 0.2);
        let initial: Vec<_> = rest.iter().map(|x| f64::from(*x).to_string()).collect();
        let initial = initial.join(", ");
        self.file.op(format!(
            r#""op": "{}", "in": "c{i}", "out": "s{i}", {keys} "threshold": 0.8, "reset": "{}",
            "reset_delay": {}, "fire_at": "gt", "order": "integrate_first",
            "recurrent": {came_back}, "state": [{names}], "initial": [{initial}]"#,
            neuron.name(),
            mechanism.name(),
            !immediate
        ));
        let layer = sequence::Layer {
            neuron,
            reset: Reset {
                mechanism,
                immediate,
            },
            shape: Shape {
                steps: STEPS,
                samples: self.samples,
                neurons: n,
            },
            current: Strided {
                data: current,
                time: self.samples * n,
                sample: n,
                per_neuron: true,
            },
            parameters: parameters
                .iter()
                .map(|data| Strided {
                    data,
                    time: 0,
                    sample: 0,
                    per_neuron: true,
                })
                .collect(),
            threshold: Strided::constant(&0.8),
            graded_factor: Strided::constant(&1.0),
            initial: rest.iter().map(Strided::constant).collect(),
        };
        let mut packed = vec![0; self.rows() * words(n)];
        let mut membrane = vec![0.0; self.rows() * n];
        let mut sequences: Vec<_> = (0..states).map(|_| None).collect();
        sequences[states - 1] = Some(&mut membrane[..]);
        let last = (0..states).map(|_| None).collect();
        match recurrent {
            None => {
                let outputs = sequence::Outputs {
                    packed: Some(&mut packed),
                    states: sequences,
                    last,
                    ..Default::default()
                };
                sequence::forward(self.isa, &layer, outputs).expect("fits");
            }
            Some(dense) => {
                let connection = if dense {
                    let weight = Matrix::new("weight", &weight, [n, n], [n, 1]).expect("fits");
                    Connection::Dense { weight, bias: None }
                } else {
                    let data = &weight[..n];
                    Connection::OneToOne(Strided {
                        data,
                        time: 0,
                        sample: 0,
                        per_neuron: true,
                    })
                };
                let first = Strided::constant(&0.0);
                let layer = recurrent::Layer {
                    neurons: layer,
                    connection,
                    first,
                };
                let outputs = recurrent::Outputs {
                    packed: Some(&mut packed),
                    states: sequences,
                    last,
                    ..Default::default()
                };
                recurrent::forward(self.isa, &layer, outputs).expect("fits");
            }
        }
        self.fired(i, packed, Some(membrane));
    }
}
