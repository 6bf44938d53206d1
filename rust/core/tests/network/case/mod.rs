//! Random networks, and what the kernels of whole sequences make of them.

#![allow(dead_code, reason = "the test of allocations needs a part of it")]

mod neurons;
mod products;

use crate::file::File;
use crate::layers::{LEAKY, Layer};
use bitspike::conv::{Convolution, Order, Windows, max_pool, sum_pool};
use bitspike::simd::Isa;
use bitspike::spikes::layout::words;

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
}
