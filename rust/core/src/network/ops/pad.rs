//! A border around feature maps, for pools.

use super::super::Error;
use super::super::builder::Builder;
use super::super::fields::Fields;
use super::super::memory::Memory;
use super::super::parameter::Parameter;
use super::super::values::{Kind, Value};
use super::maps::Maps;
use crate::spikes::layout::{WORD_BITS, clear, padded, words};
use alloc::format;

/// Largest border.
const WIDEST: usize = 1 << 20;

/// Maps amid a border of one number, or of silence.
#[derive(Debug)]
pub(in super::super) struct Pad {
    maps: Maps,
    padding: [usize; 2],
    number: f32,
    input: Value,
    output: Value,
}

impl Pad {
    pub(super) fn read(
        builder: &mut Builder<'_>,
        fields: &mut Fields,
        output: &str,
    ) -> Result<Self, Error> {
        let input = builder.read(fields, "in")?;
        let maps = Maps::of(&input, fields)?;
        let padding = maps.sizes(fields, "padding", 0)?;
        if padding.iter().any(|&size| size > WIDEST) {
            return Err(fields.value("padding", &format!("sizes of at most {WIDEST}")));
        }
        let Parameter::Same(number) = builder.parameter(fields, "value", &input.shape)? else {
            return Err(fields.value("value", "one number"));
        };
        if input.kind == Kind::Spikes && number != 0.0 {
            return Err(fields.value("value", "0, around spikes"));
        }
        let size = [0, 1].map(|axis| maps.size[axis] + 2 * padding[axis]);
        Ok(Self {
            output: builder.define(output, input.kind, &maps.shape(maps.channels, size))?,
            maps,
            padding,
            number,
            input,
        })
    }

    pub(super) fn run(&self, memory: &mut Memory) {
        let (inputs, outputs) = (self.input.neurons, self.output.neurons);
        match self.input.kind {
            Kind::Spikes => {
                let mut out = core::mem::take(&mut memory.spikes[self.output.slot]);
                clear(&mut out);
                let rows = memory.spikes_of(&self.input).chunks_exact(words(inputs));
                for (row, out) in rows.zip(out.chunks_exact_mut(words(outputs))) {
                    self.lines(|from, to| {
                        for x in 0..self.maps.size[1] {
                            let bit = row[(from + x) / WORD_BITS] >> ((from + x) % WORD_BITS) & 1;
                            out[(to + x) / WORD_BITS] |= bit << ((to + x) % WORD_BITS);
                        }
                    });
                }
                memory.spikes[self.output.slot] = out;
            }
            Kind::Numbers => {
                let mut out = core::mem::take(&mut memory.numbers[self.output.slot]);
                let width = self.maps.size[1];
                let rows = memory.numbers_of(&self.input).chunks_exact(padded(inputs));
                for (row, out) in rows.zip(out.chunks_exact_mut(padded(outputs))) {
                    out[..outputs].fill(self.number);
                    self.lines(|from, to| {
                        out[to..to + width].copy_from_slice(&row[from..from + width]);
                    });
                }
                memory.numbers[self.output.slot] = out;
            }
            Kind::Integers => unreachable!("integers are refused when the op is read"),
        }
    }

    /// Where each line of the maps starts, and where in the padded ones.
    fn lines(&self, mut each: impl FnMut(usize, usize)) {
        let [height, width] = self.maps.size;
        let [above, beside] = self.padding;
        for line in 0..self.maps.channels * height {
            let (map, y) = (line / height, line % height);
            let padded = map * (height + 2 * above) + above + y;
            each(line * width, padded * (width + 2 * beside) + beside);
        }
    }
}
