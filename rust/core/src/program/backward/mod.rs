//! A whole sequence, backward: the adjoint program, from the last step to the first.
//!
//! This file checks, splits the layer into spans and sums the gradients of constants; what happens in a
//! tile is in `tile.rs`.

mod tile;

use crate::Error;
use crate::parallel;
use crate::program::compiled::Compiled;
use crate::program::forward::next;
use crate::program::inputs::Inputs;
use crate::program::joined::{joined, repeated};
use crate::program::plan::Wanted;
use crate::program::tile::{steps_of, width};
use crate::sequence::OutputGradients;
use crate::simd::{Isa, dispatch};
use crate::tiling::{Span, spans_of, split_columns, sum_repeats};
use tile::{Backward, Job};

/// Where the gradients go; what is `None` is not computed.
#[derive(Debug, Default)]
pub struct Gradients<'a> {
    /// Per sequence, `[T, B, N]`.
    pub sequences: Vec<Option<&'a mut [f32]>>,
    /// Per state: of its initial value, `[B, N]`.
    pub initial: Vec<Option<&'a mut [f32]>>,
    /// Per constant, in the layout of its view: summed over what that repeats.
    pub constants: Vec<Option<&'a mut [f32]>>,
}

impl Gradients<'_> {
    fn check(&self, inputs: &Inputs<'_>) -> Result<(), Error> {
        let shape = inputs.shape;
        let (sequences, states) = (inputs.sequences.len(), inputs.initial.len());
        let constants = inputs.constants.len();
        Error::check_length("gradients of sequences", self.sequences.len(), &[sequences])?;
        Error::check_length("gradients of initial states", self.initial.len(), &[states])?;
        Error::check_length("gradients of constants", self.constants.len(), &[constants])?;
        for out in self.sequences.iter().flatten() {
            Error::check_length("gradient of a sequence", out.len(), &shape.all())?;
        }
        for out in self.initial.iter().flatten() {
            Error::check_length("gradient of an initial state", out.len(), &shape.row())?;
        }
        for (view, out) in inputs.constants.iter().zip(&self.constants) {
            if let Some(out) = out {
                Error::check_length("gradient of a constant", out.len(), &[view.data.len()])?;
            }
        }
        Ok(())
    }
}

impl Compiled {
    /// Checks that `adjoint` takes and gives what an adjoint of this program does.
    fn check_adjoint(&self, adjoint: &Self) -> Result<(), Error> {
        let (program, adjoint) = (self.program(), adjoint.program());
        let sequences = program.sequences + 2 * program.states + 1;
        let counts = [
            ("sequences", adjoint.sequences, sequences),
            ("states", adjoint.states, program.states),
            ("constants", adjoint.constants, program.constants),
            ("outputs", adjoint.outputs.len(), program.sequences),
            ("sums", adjoint.sums.len(), program.constants),
        ];
        for (what, found, expected) in counts {
            if found != expected {
                return Err(Error::Adjoint {
                    what,
                    found,
                    expected,
                });
            }
        }
        Ok(())
    }
}

/// Sends gradients back through the whole sequence.
///
/// Gradients of constants are summed over what their views repeat, in a fixed order.
///
/// # Errors
/// [`Error::Adjoint`] if `adjoint` has not the inputs and results of an adjoint; else as
/// [`forward`](super::forward()).
pub fn backward(
    isa: Isa,
    compiled: &Compiled,
    adjoint: &Compiled,
    inputs: &Inputs<'_>,
    incoming: &OutputGradients<'_>,
    gradients: Gradients<'_>,
) -> Result<(), Error> {
    compiled.check_adjoint(adjoint)?;
    inputs.check(compiled)?;
    incoming.check(inputs.shape, inputs.initial.len())?;
    gradients.check(inputs)?;
    let program = compiled.program();
    let up = compiled.plan(Wanted {
        packed: false,
        dense: false,
        outputs: vec![false; program.outputs.len()],
        sums: vec![false; program.sums.len()],
    });
    let down = adjoint.plan(Wanted {
        packed: false,
        dense: false,
        outputs: gradients.sequences.iter().map(Option::is_some).collect(),
        sums: gradients.constants.iter().map(Option::is_some).collect(),
    });
    let shape = inputs.shape;
    let row = shape.samples * shape.neurons;
    let mut sums = vec![0.0; down.sums.len() * row];
    if row != 0 {
        let repeated = repeated(inputs);
        let joined = joined(inputs, &repeated).zip(incoming.joined(shape));
        let (inputs, incoming) = match &joined {
            Some((inputs, incoming)) => (inputs, incoming),
            None => (inputs, incoming),
        };
        Backward {
            up: &up,
            down: &down,
            inputs,
            incoming,
        }
        .run(isa, gradients.sequences, gradients.initial, &mut sums);
    }
    let views = inputs.constants.iter().zip(gradients.constants);
    let wanted = views.filter_map(|(view, out)| Some((view, out?)));
    for (k, (view, out)) in wanted.enumerate() {
        sum_repeats(view, shape.neurons, &sums[k * row..][..row], out);
    }
    Ok(())
}

impl Backward<'_> {
    fn run(
        self,
        isa: Isa,
        sequences: Vec<Option<&mut [f32]>>,
        initial: Vec<Option<&mut [f32]>>,
        sums: &mut [f32],
    ) {
        let shape = self.inputs.shape;
        let row = shape.samples * shape.neurons;
        let width = width(self.down.registers.max(self.up.registers), shape);
        let spans = spans_of(width, shape);
        let columns = |matrix| {
            split_columns(matrix, row, &spans, |span: Span| {
                span.columns(shape.neurons)
            })
        };
        let mut sequences: Vec<_> = sequences.into_iter().map(columns).collect();
        let mut initial: Vec<_> = initial.into_iter().map(columns).collect();
        let mut sums = columns(Some(sums));
        let jobs = spans.iter().map(|&span| Job {
            shared: self,
            span,
            width,
            sequences: next(&mut sequences),
            initial: next(&mut initial),
            sums: sums.next().flatten(),
        });
        let jobs: Vec<_> = jobs.collect();
        let work = shape.work().saturating_mul(steps_of(&[self.up, self.down]));
        parallel::for_each(jobs, work, |job| dispatch(isa, job));
    }
}
