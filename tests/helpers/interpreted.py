"""Programs, interpreted with torch's own operations: what back ends are compared with."""

from collections.abc import Callable, Sequence
from functools import cache

import torch
from torch import Tensor

from bitspike.ops import program as native
from bitspike.ops.straight_line import TRANSCENDENTAL
from bitspike.program import Instruction, Program
from bitspike.program.evaluate import apply


def apply_native(op: str, *operands: Tensor) -> Tensor:
    """One operation, which is the native module's where its bits are not torch's."""
    # Roots that MKL computes for torch are now and then not the nearest numbers.
    if op not in TRANSCENDENTAL and op != "sqrt":
        return apply(op, *operands)
    (x,) = operands
    inputs = native.Inputs([x.reshape(-1)], [], [])
    return native.forward(native.Call(_function(op), sequence=False), inputs)[0].reshape(x.shape)


@cache
def _function(op: str) -> native.Compiled:
    code = (Instruction(op, (0,)),)
    names = {"sequences": ("x",), "states": (), "constants": (), "immediates": ()}
    return native.compile(Program(**names, code=code, spikes=None, outputs=(1,), next=(), sums=()))


def step(program: Program, sequences, states, constants, apply: Callable = apply) -> list[Tensor]:
    """All values of one step."""
    immediates = [torch.tensor(x, dtype=torch.float32) for x in program.immediates]
    values = [*sequences, *states, *constants, *immediates]
    for op, operands in program.code:
        values.append(apply(op, *(values[x] for x in operands)))
    return values


def forward(
    program: Program, sequences, states, constants, apply: Callable = apply
) -> tuple[Tensor, list[Tensor]]:
    """Spikes ``[T, *]``, and each state of all steps."""
    spikes, history = [], []
    for inputs in zip(*sequences, strict=True):
        values = step(program, inputs, states, constants, apply)
        states = [values[x].expand(inputs[0].shape) for x in program.next]
        history.append(states)
        spikes.append(values[program.spikes].expand(inputs[0].shape))
    return torch.stack(spikes), [torch.stack(x) for x in zip(*history, strict=True)]


def backward(
    captured, sequences, states, constants, grads: Sequence[Tensor], apply: Callable = apply
):
    """Gradients of sequences, initial states and constants, for those of spikes and states.

    The last of four results are the sums of the magnitudes of what each gradient of a constant is a
    sum of.
    """
    program = captured.adjoint
    _, after = forward(captured.forward, sequences, states, constants, apply)
    before = [torch.cat([x[None], y[:-1]]) for x, y in zip(states, after, strict=True)]
    later = [torch.zeros_like(x) for x in states]
    outputs, sums = [], [torch.zeros_like(sequences[0][0]) for _ in constants]
    sizes = sums
    for inputs in reversed(list(zip(*sequences, *before, *grads, strict=True))):
        values = step(program, inputs, later, constants, apply)
        later = [values[x].expand(inputs[0].shape) for x in program.next]
        outputs.append([values[x].expand(inputs[0].shape) for x in program.outputs])
        sums = [x + values[y] for x, y in zip(sums, program.sums, strict=True)]
        sizes = [x + values[y].abs() for x, y in zip(sizes, program.sums, strict=True)]
    of_sequences = [torch.stack(x[::-1]) for x in zip(*outputs, strict=True)]
    of_constants, sizes = (
        [x.sum_to_size(y.shape) for x, y in zip(parts, constants, strict=True)]
        for parts in (sums, sizes)
    )
    return of_sequences, later, of_constants, sizes
