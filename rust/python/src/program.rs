//! Programs: the step of any neuron as arithmetic.

use crate::buffer::Written;
use crate::call::{run, to_python};
use crate::sequence::{slices, written};
use crate::tensor::Tensor;
use crate::view::{Axes, Constant, Sizes, View};
use bitspike::program::{
    Compiled, Gradients, Inputs, Instruction, Op, Outputs, Program as Description, backward,
    forward,
};
use bitspike::sequence::OutputGradients;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// A program as Python describes it: how many sequences, states and constants it has, immediates,
/// instructions, the value of the spikes, outputs, next states and sums.
#[derive(Debug, FromPyObject)]
pub(crate) struct ProgramArguments(
    (usize, usize, usize),
    Vec<f32>,
    Vec<(String, Vec<usize>)>,
    Option<usize>,
    Vec<usize>,
    Vec<usize>,
    Vec<usize>,
);

/// A program that has been checked.
#[pyclass(frozen, module = "bitspike.ops._native")]
#[derive(Debug)]
pub(crate) struct Program(Compiled);

#[pymethods]
impl Program {
    #[new]
    fn new(arguments: ProgramArguments) -> PyResult<Self> {
        let ProgramArguments(sizes, immediates, code, spikes, outputs, next, sums) = arguments;
        let (sequences, states, constants) = sizes;
        let instruction = |(i, (name, operands)): (usize, (String, _))| match Op::parse(&name) {
            Ok(op) => Ok(Instruction { op, operands }),
            Err(error) => Err(PyValueError::new_err(format!("instruction {i}: {error}"))),
        };
        let program = Description {
            sequences,
            states,
            constants,
            immediates,
            code: code
                .into_iter()
                .enumerate()
                .map(instruction)
                .collect::<PyResult<_>>()?,
            spikes,
            outputs,
            next,
            sums,
        };
        Ok(Self(Compiled::new(program).map_err(to_python)?))
    }
}

/// What a program runs on: `(T, B, N)`, whether there is an axis of time and one of samples, sequences,
/// initial states, constants.
#[derive(Debug, FromPyObject)]
pub(crate) struct ProgramInputs<'py>(
    Sizes,
    (bool, bool),
    Vec<Tensor<'py>>,
    Vec<Tensor<'py>>,
    Vec<Constant<'py>>,
);

/// Inputs with the memory of their tensors.
#[derive(Debug)]
struct Views<'py> {
    axes: Axes,
    has_time: bool,
    sequences: Vec<View<'py>>,
    initial: Vec<View<'py>>,
    constants: Vec<View<'py>>,
}

impl<'py> ProgramInputs<'py> {
    fn views(&self) -> PyResult<Views<'py>> {
        let Self(sizes, (has_time, batched), sequences, initial, constants) = self;
        let axes = Axes::new(*sizes, *batched);
        let sequence = |x| View::shaped(Some(x), axes, *has_time, "a sequence");
        let state = |x| View::shaped(Some(x), axes, false, "an initial state");
        let constant = |x| View::constant(x, axes.shape, "a constant");
        Ok(Views {
            axes,
            has_time: *has_time,
            sequences: sequences.iter().map(sequence).collect::<PyResult<_>>()?,
            initial: initial.iter().map(state).collect::<PyResult<_>>()?,
            constants: constants.iter().map(constant).collect::<PyResult<_>>()?,
        })
    }
}

impl<'py> Views<'py> {
    fn inputs(&self) -> Inputs<'_> {
        Inputs {
            shape: self.axes.shape,
            sequences: View::all(&self.sequences),
            initial: View::all(&self.initial),
            constants: View::all(&self.constants),
        }
    }

    /// Gradients of results; None is 0 everywhere.
    fn gradients(
        &self,
        tensors: &[Option<Tensor<'py>>],
        has_time: bool,
        what: &str,
    ) -> PyResult<Vec<View<'py>>> {
        let view = |x: &Option<Tensor<'py>>| View::shaped(x.as_ref(), self.axes, has_time, what);
        tensors.iter().map(view).collect()
    }

    /// Elementary steps of the call.
    fn work(&self) -> usize {
        self.axes.shape.work()
    }
}

/// Runs a program; each output that is not None is filled.
#[pyfunction]
#[allow(
    clippy::too_many_arguments,
    reason = "a program, what comes in, what goes out"
)]
pub(crate) fn program_forward(
    py: Python<'_>,
    program: &Bound<'_, Program>,
    inputs: ProgramInputs<'_>,
    packed: Option<Tensor<'_>>,
    dense: Option<Tensor<'_>>,
    states: Vec<Option<Tensor<'_>>>,
    last: Vec<Option<Tensor<'_>>>,
    outputs: Vec<Option<Tensor<'_>>>,
) -> PyResult<()> {
    let views = inputs.views()?;
    let mut packed = packed.map(|x| Written::of(&x, "packed")).transpose()?;
    let mut dense = dense.map(|x| Written::of(&x, "dense")).transpose()?;
    let (mut states, mut last) = (written(&states, "states")?, written(&last, "last")?);
    let mut outputs = written(&outputs, "outputs")?;
    let results = Outputs {
        packed: packed.as_deref_mut(),
        dense: dense.as_deref_mut(),
        states: slices(&mut states),
        last: slices(&mut last),
        outputs: slices(&mut outputs),
    };
    let (compiled, inputs) = (&program.get().0, views.inputs());
    run(py, views.work(), move |isa| {
        forward(isa, compiled, &inputs, results)
    })
}

/// Sends the gradients of spikes, states and last states back; each output that is not None is filled.
#[pyfunction]
#[allow(
    clippy::too_many_arguments,
    reason = "a program and its adjoint, what comes in, what goes out"
)]
pub(crate) fn program_backward<'py>(
    py: Python<'py>,
    program: &Bound<'py, Program>,
    adjoint: &Bound<'py, Program>,
    inputs: ProgramInputs<'py>,
    spikes: Option<Tensor<'py>>,
    states: Vec<Option<Tensor<'py>>>,
    last: Vec<Option<Tensor<'py>>>,
    sequences: Vec<Option<Tensor<'py>>>,
    initial: Vec<Option<Tensor<'py>>>,
    constants: Vec<Option<Tensor<'py>>>,
) -> PyResult<()> {
    let views = inputs.views()?;
    let time = views.has_time;
    let of_spikes = View::shaped(spikes.as_ref(), views.axes, time, "the gradient of spikes")?;
    let states = views.gradients(&states, time, "the gradient of a state")?;
    let last = views.gradients(&last, false, "the gradient of a last state")?;
    let incoming = OutputGradients {
        spikes: of_spikes.strided(),
        states: View::all(&states),
        last: View::all(&last),
    };
    let mut sequences = written(&sequences, "the gradient of a sequence")?;
    let mut initial = written(&initial, "the gradient of an initial state")?;
    let mut constants = written(&constants, "the gradient of a constant")?;
    let gradients = Gradients {
        sequences: slices(&mut sequences),
        initial: slices(&mut initial),
        constants: slices(&mut constants),
    };
    let (program, adjoint) = (&program.get().0, &adjoint.get().0);
    let inputs = views.inputs();
    run(py, views.work(), move |isa| {
        backward(isa, program, adjoint, &inputs, &incoming, gradients)
    })
}
