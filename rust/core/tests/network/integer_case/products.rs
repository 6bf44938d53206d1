//! Products of values and weights.

use super::IntegerCase;
use bitspike::network::Dtype;

/// What a product is made of.
pub(super) struct Weights {
    weights: Vec<i64>,
    bias: Vec<i64>,
    pub(super) bounds: Vec<i64>,
    pub(super) keys: String,
}

impl Weights {
    pub(super) fn sums(&self, x: &[i64]) -> Vec<i64> {
        let rows = self.weights.chunks(x.len()).zip(&self.bias);
        let sum =
            |(row, bias): (&[i64], &i64)| bias + row.iter().zip(x).map(|(q, x)| q * x).sum::<i64>();
        rows.map(sum).collect()
    }
}

impl IntegerCase {
    /// Weights of 8, 4 or 2 bits, a bias of some outputs, the bound of each for inputs of these bounds,
    /// and the keys of all.
    pub(super) fn weights(
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

    pub(super) fn linear(&mut self, name: &str, outputs: usize) {
        self.op(r#""op": "flatten""#, &format!("f{name}"), <[i64]>::to_vec);
        let before = self.bounds.clone();
        let made = self.weights(name, &[outputs, before.len()], |_, tap| before[tap]);
        self.bounds = made.bounds.clone();
        self.shape = vec![outputs];
        let keys = format!(r#""op": "linear", {}"#, made.keys);
        self.op(&keys, &format!("c{name}"), move |x| made.sums(x));
    }

    pub(super) fn dense(&mut self, name: &str) {
        let outputs = 1 + self.below(150);
        self.linear(name, outputs);
        self.fire(name);
    }

    /// A border of 1, and a kernel of up to 3 by 3.
    pub(super) fn conv(&mut self, name: &str, pooled: bool) {
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
}
