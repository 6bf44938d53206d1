//! Products and convolutions, and the neurons that they drive.

use super::Case;
use crate::layers::{Firing, LEAKY};
use bitspike::conv::{Convolution, Order, Orders, convolve};
use bitspike::matmul::{Matrix, product};

impl Case {
    pub(super) fn dense(&mut self, i: usize, neurons: usize, firing: Firing) {
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

    pub(super) fn conv(&mut self, i: usize, conv: Convolution) {
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
}
