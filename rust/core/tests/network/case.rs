//! Random networks, and what the kernels of whole sequences make of them.

#![allow(dead_code, reason = "the test of allocations needs a part of it")]

use crate::file::File;
use crate::layers::{Firing, LEAKY, Layer};
use bitspike::conv::{Convolution, Order, Orders, Windows, convolve, max_pool, sum_pool};
use bitspike::matmul::{Matrix, product};
use bitspike::neuron::{Mechanism, Reset};
use bitspike::recurrent::{self, Connection};
use bitspike::registry::NeuronKind;
use bitspike::sequence;
use bitspike::simd::Isa;
use bitspike::spikes::layout::words;
use bitspike::tiling::{Shape, Strided};
use std::fmt::Write;

pub(crate) const STEPS: usize = 6;

/// Spikes of all steps, and the membranes of a layer, named as in the file.
#[derive(Clone, Debug)]
pub(crate) struct Expected {
    pub(crate) spikes: String,
    pub(crate) packed: Vec<u64>,
    pub(crate) neurons: usize,
    /// `[T, B, N]`
    pub(crate) membrane: Option<(String, Vec<f32>)>,
}

/// A file under construction, and what its values are at all steps.
pub(crate) struct Case {
    pub(crate) file: File,
    pub(crate) samples: usize,
    pub(crate) input: Vec<u64>,
    pub(crate) expected: Vec<Expected>,
    isa: Isa,
    random: u64,
    shape: Vec<usize>,
    value: String,
    packed: Vec<u64>,
}

impl Case {
    /// Runs the layers one after another; those that do not fit their input are left out.
    pub(crate) fn new(isa: Isa, layers: &[Layer], samples: usize, seed: u64) -> Self {
        let shape = vec![2, 6, 6];
        let mut case = Self {
            file: File::new(&shape, "spikes"),
            samples,
            input: Vec::new(),
            expected: Vec::new(),
            isa,
            random: seed,
            shape,
            value: "x".to_owned(),
            packed: Vec::new(),
        };
        for _ in 0..STEPS * samples {
            let mut row = [0; 2];
            for n in 0..72 {
                row[n / 64] |= u64::from(case.uniform(0.0, 1.0) < 0.4) << (n % 64);
            }
            case.input.extend(row);
        }
        case.packed = case.input.clone();
        for (i, layer) in layers.iter().enumerate() {
            case.add(i, layer);
        }
        let output = case.value.clone();
        case.file.output(&output);
        case
    }

    /// A number of a linear congruential sequence.
    fn uniform(&mut self, low: f32, high: f32) -> f32 {
        self.random = self
            .random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        low + (high - low) * ((self.random >> 40) as f32 / (1 << 24) as f32)
    }

    fn numbers(&mut self, count: usize, low: f32, high: f32) -> Vec<f32> {
        (0..count).map(|_| self.uniform(low, high)).collect()
    }

    fn neurons(&self) -> usize {
        self.shape.iter().product()
    }

    fn rows(&self) -> usize {
        STEPS * self.samples
    }

    fn add(&mut self, i: usize, layer: &Layer) {
        match *layer {
            Layer::Dense { neurons, firing } => self.dense(i, neurons, firing),
            Layer::Conv {
                outputs,
                kernel,
                padding,
                stride,
            } => {
                if let [channels, height, width] = self.shape[..]
                    && kernel <= height.min(width) + 2 * padding
                {
                    self.conv(
                        i,
                        Convolution {
                            channels,
                            size: [height, width],
                            outputs,
                            groups: 1,
                            kernel: [kernel; 2],
                            stride: [stride; 2],
                            padding: [padding; 2],
                            dilation: [1; 2],
                        },
                    );
                }
            }
            Layer::Any | Layer::Sum => {
                if let [planes, height, width] = self.shape[..]
                    && height.min(width) >= 2
                {
                    let windows = Windows {
                        planes,
                        height,
                        width,
                        window: [2; 2],
                        stride: [2; 2],
                    };
                    self.pool(i, windows, matches!(layer, Layer::Any));
                }
            }
            Layer::Pad => {
                if let [channels, height, width] = self.shape[..] {
                    self.pad(i, [channels, height, width]);
                }
            }
            Layer::Delay { steps } => {
                self.file.op(format!(
                    r#""op": "delay", "in": "{}", "out": "s{i}", "steps": {steps}"#,
                    self.value
                ));
                let row = self.samples * words(self.neurons());
                let mut packed = vec![0; steps.min(STEPS) * row];
                packed.extend(&self.packed);
                packed.truncate(self.packed.len());
                self.fired(i, packed, None);
            }
        }
    }

    /// Notes the spikes of a layer, which the next one takes.
    fn fired(&mut self, i: usize, packed: Vec<u64>, membrane: Option<Vec<f32>>) {
        self.value = format!("s{i}");
        self.expected.push(Expected {
            spikes: self.value.clone(),
            packed: packed.clone(),
            neurons: self.neurons(),
            membrane: membrane.map(|membrane| (format!("m{i}"), membrane)),
        });
        self.packed = packed;
    }

    fn dense(&mut self, i: usize, neurons: usize, firing: Firing) {
        let inputs = self.neurons();
        let (weight, bias) = (
            self.numbers(inputs * neurons, -0.3, 0.5),
            self.numbers(neurons, -0.1, 0.3),
        );
        self.file
            .tensor(&format!("weight{i}"), &[neurons, inputs], &weight);
        self.file.tensor(&format!("bias{i}"), &[neurons], &bias);
        self.file.op(format!(
            r#""op": "flatten", "in": "{}", "out": "f{i}""#,
            self.value
        ));
        self.file.op(format!(
            r#""op": "linear", "in": "f{i}", "out": "c{i}", "weight": "weight{i}", "bias": "bias{i}""#
        ));
        let matrix = Matrix::new("weight", &weight, [neurons, inputs], [inputs, 1]);
        let matrix = matrix.expect("fits").transposed();
        let mut current = vec![0.0; self.rows() * neurons];
        product(
            self.isa,
            &self.packed,
            self.rows(),
            matrix,
            Some(&bias),
            &mut current,
        )
        .expect("fits");
        self.shape = vec![neurons];
        self.fire(i, &current, firing);
    }

    fn conv(&mut self, i: usize, conv: Convolution) {
        let [height, width] = conv.grid().expect("fits");
        let (taps, [kernel, _]) = (conv.channels * conv.kernel[0] * conv.kernel[1], conv.kernel);
        let (weight, bias) = (
            self.numbers(conv.outputs * taps, -0.3, 0.5),
            self.numbers(conv.outputs, -0.1, 0.3),
        );
        self.file.tensor(
            &format!("weight{i}"),
            &[conv.outputs, conv.channels, kernel, kernel],
            &weight,
        );
        self.file
            .tensor(&format!("bias{i}"), &[conv.outputs], &bias);
        self.file.op(format!(
            r#""op": "conv2d", "in": "{}", "out": "c{i}", "weight": "weight{i}", "bias": "bias{i}",
            "stride": {:?}, "padding": {:?}, "dilation": [1, 1], "groups": 1"#,
            self.value, conv.stride, conv.padding
        ));
        // As the kernel has it, channels last.
        let pixels = kernel * kernel;
        let mut last = vec![0.0; weight.len()];
        for (place, &number) in weight.iter().enumerate() {
            let (output, tap) = (place / taps, place % taps);
            last[output * taps + tap % pixels * conv.channels + tap / pixels] = number;
        }
        let maps = Order::ChannelsFirst;
        let orders = Orders {
            spikes: maps,
            sums: maps,
        };
        let mut current = vec![0.0; self.rows() * conv.outputs * height * width];
        convolve(
            self.isa,
            &self.packed,
            self.rows(),
            conv,
            orders,
            &last,
            Some(&bias),
            &mut current,
        )
        .expect("fits");
        self.shape = vec![conv.outputs, height, width];
        self.fire(i, &current, LEAKY);
    }

    /// One line above, two columns beside.
    fn pad(&mut self, i: usize, [channels, height, width]: [usize; 3]) {
        self.file.op(format!(
            r#""op": "pad", "in": "{}", "out": "s{i}", "padding": [1, 2], "value": 0"#,
            self.value
        ));
        let row = words(self.neurons());
        self.shape = vec![channels, height + 2, width + 4];
        let padded = words(self.neurons());
        let mut packed = vec![0; self.rows() * padded];
        for (row, out) in self.packed.chunks(row).zip(packed.chunks_mut(padded)) {
            for n in 0..channels * height * width {
                let (map, y, x) = (n / width / height, n / width % height, n % width);
                let to = (map * (height + 2) + y + 1) * (width + 4) + x + 2;
                out[to / 64] |= (row[n / 64] >> (n % 64) & 1) << (to % 64);
            }
        }
        self.fired(i, packed, None);
    }

    fn pool(&mut self, i: usize, windows: Windows, any: bool) {
        let [height, width] = windows.grid().expect("fits");
        let maps = Order::ChannelsFirst;
        let name = if any {
            ("orpool", 's')
        } else {
            ("sumpool", 'c')
        };
        self.file.op(format!(
            r#""op": "{}", "in": "{}", "out": "{}{i}", "kernel": [2, 2], "stride": [2, 2]"#,
            name.0, self.value, name.1
        ));
        let rows = self.rows();
        self.shape = vec![windows.planes, height, width];
        if any {
            let mut packed = vec![0; rows * words(self.neurons())];
            max_pool(self.isa, &self.packed, rows, windows, maps, &mut packed).expect("fits");
            return self.fired(i, packed, None);
        }
        let mut current = vec![0.0; rows * self.neurons()];
        sum_pool(self.isa, &self.packed, rows, windows, maps, &mut current).expect("fits");
        self.fire(i, &current, LEAKY);
    }

    /// Neurons that the current `c{i}` drives.
    fn fire(&mut self, i: usize, current: &[f32], firing: Firing) {
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
