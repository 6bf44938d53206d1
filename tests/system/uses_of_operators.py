"""Calls of every operator that is registered: raw tensors, which nobody has looked at before."""

import re

import torch
from kinds import KINDS, ON_CUDA
from outcome import Use, outcome

import bitspike as snn
from bitspike.ops.program import Instruction, Program

T, B, N, M = 3, 2, 70, 4


def values(*shape):
    """Multiples of an eighth between -1 and 2."""
    count = torch.Size(shape).numel()
    return ((torch.arange(count) * 7 % 25 - 8) / 8).view(shape)


def words(*shape):
    return snn.SpikeTensor.from_dense((values(*shape) > 0.5).float()).words


LAYER = {
    "neuron": "leaky",
    "mechanism": "subtract",
    "immediate": False,
    "surrogate": "atan",
    "surrogate_parameters": [2.0],
}
SEQUENCE = {
    "sequence": True,
    "current": values(T, B, N),
    "constants": [values(N).abs() / 2, torch.tensor([0.5]), torch.tensor([1.0])],
    "initial": [values(B, N) / 4],
}
STEP = {**SEQUENCE, "sequence": False, "current": values(B, N)}
GRADIENTS = {
    "grad_spikes": values(T, B, N),
    "grad_states": [values(T, B, N) / 2],
    "grad_last": [values(B, N) / 4],
}
GRADIENTS_OF_STEP = {**GRADIENTS, "grad_spikes": values(B, N), "grad_states": [values(B, N) / 2]}
NEEDED = {"need_current": True, "need_initial": True, "need_constants": True}
ONE_TO_ONE = {"first": values(B, N), "weight": None, "bias": None, "one_to_one": values(N) / 4}
DENSE = {
    **ONE_TO_ONE,
    "weight": values(N, N) / 64,
    "bias": values(N) / 8,
    "one_to_one": None,
}
RECURRENT = {**SEQUENCE, "constants": SEQUENCE["constants"][:2], "states": True}
BACK = {
    **{name: x for name, x in RECURRENT.items() if name != "states"},
    **GRADIENTS,
    "need_initial": True,
    "need_constants": True,
    "need_connection": True,
    "spikes": words(T, B, N),
    "grad_last_spikes": values(B, N),
}
SCAN = {
    "x": values(T, B, M),
    "decay": values(M).abs() / 2,
    "key": None,
    "initial": values(B, M),
    "rectified": True,
}
OUTER = {
    **SCAN,
    "decay": values(T, B, 5).abs() / 2,
    "key": values(T, B, 5),
    "initial": None,
    "rectified": False,
}
SCAN_BACK = {
    **SCAN,
    "outputs": values(T, B, M),
    "grad": values(T, B, M),
    "need": [True, True, False, True],
}
OUTER_BACK = {
    **OUTER,
    "outputs": values(T, B, M, 5),
    "grad": values(T, B, M, 5),
    "need": [True, True, True, False],
}
ROWS = {"words": words(9, N), "neurons": N}
MAPS = {"words": words(9, 80), "channels": 2, "size": [5, 8], "channels_last": True}
PROGRAM = Program(
    *(("current",), ("mem",), ("beta", "threshold"), ()),
    code=(
        *(Instruction("mul", (2, 1)), Instruction("add", (4, 0)), Instruction("gt", (5, 3))),
        *(Instruction("mul", (6, 3)), Instruction("sub", (5, 7))),
    ),
    spikes=6,
    outputs=(),
    next=(8,),
)
"""Fires and subtracts in one step."""
ADJOINT = Program(
    *(("current", "mem", "grad_spikes", "grad_mem"), ("carried",), ("beta", "threshold"), ()),
    code=(
        *(Instruction("add", (3, 4)), Instruction("add", (2, 7)), Instruction("mul", (5, 8))),
        *(Instruction("mul", (8, 1)), Instruction("neg", (8,))),
    ),
    spikes=None,
    outputs=(8,),
    next=(9,),
    sums=(10, 11),
)
PROGRAMS = {
    "program": PROGRAM.text(),
    "adjoint": ADJOINT.text(),
    "sequence": True,
    "sequences": [values(T, B, N)],
    "initial": [values(B, N) / 4],
    "constants": [values(N).abs() / 2, torch.tensor([0.5])],
}
PROGRAMS_OF_STEP = {**PROGRAMS, "sequence": False, "sequences": [values(B, N)]}
NEEDED_OF_PROGRAM = {"need_sequences": [True], "need_initial": True, "need_constants": [True] * 2}
OPTIONS = {"stride": [1, 1], "padding": [1, 1], "dilation": [1, 1], "groups": 1}

CALLS = {
    "sequence_forward": [
        {**LAYER, **SEQUENCE, "packed": True, "states": True},
        {**LAYER, **STEP, "packed": False, "states": False},
    ],
    "sequence_backward": [
        {**LAYER, **SEQUENCE, **NEEDED, **GRADIENTS},
        {**LAYER, **STEP, **NEEDED, **GRADIENTS_OF_STEP},
    ],
    "recurrent_forward": [
        {**LAYER, **RECURRENT, **DENSE},
        {**LAYER, **RECURRENT, **ONE_TO_ONE},
    ],
    "recurrent_backward": [{**LAYER, **BACK, **DENSE}, {**LAYER, **BACK, **ONE_TO_ONE}],
    "scan_forward": [SCAN, OUTER],
    "scan_backward": [SCAN_BACK, OUTER_BACK],
    "product": [
        {**ROWS, "weights": values(N, M), "bias": values(M)},
        {"words": words(200, N), "neurons": N, "weights": values(N, 64), "bias": values(64)},
    ],
    "weight_gradient": [
        {**ROWS, "grad": values(9, M)},
        {"words": words(200, N), "neurons": N, "grad": values(200, 64)},
    ],
    "convolve": [
        {**MAPS, "weight": values(M, 2, 3, 3), "bias": values(M), **OPTIONS},
        {**MAPS, "words": words(9, 2 * 40), "weight": values(40, 2, 3, 3), "bias": None, **OPTIONS},
    ],
    "convolve_weight_gradient": [
        {**MAPS, "grad": values(9, M, 5, 8), "kernel": [3, 3], **OPTIONS},
        {**MAPS, "grad": values(9, 40, 5, 8), "kernel": [3, 3], **OPTIONS},
    ],
    "program_forward": [
        {**PROGRAMS, "packed": True, "states": True},
        {**PROGRAMS_OF_STEP, "packed": False, "states": False},
    ],
    "program_backward": [
        {**PROGRAMS, **NEEDED_OF_PROGRAM, **GRADIENTS},
        {**PROGRAMS_OF_STEP, **NEEDED_OF_PROGRAM, **GRADIENTS_OF_STEP},
    ],
    "swap_axes": [{"words": words(T, B, N), "outer": 7, "inner": 10}],
    "unpack": [{"words": words(T, B, N), "neurons": N, "dtype": torch.float32}],
    "count_axis": [{"words": words(T, B, N), "axis": 0, "neurons": N}],
}
"""By operator, valid arguments."""


def operator(name):
    return getattr(torch.ops.bitspike, name).default


def tensors(arguments):
    """Of each tensor among arguments its name, itself, and how to put another in its place."""
    for name, value in arguments.items():
        if isinstance(value, torch.Tensor):
            yield name, value, lambda x, name=name: {**arguments, name: x}
        elif isinstance(value, list) and isinstance(value[0], torch.Tensor):
            for i, one in enumerate(value):
                others = value[:i], value[i + 1 :]
                yield (
                    name,
                    one,
                    lambda x, name=name, others=others: {
                        **arguments,
                        name: [*others[0], x, *others[1]],
                    },
                )


NAMED = {
    "current": "current|input|sequence of no steps",
    "constants": "constants|parameter|threshold|graded_factor",
    "grad_spikes": "grad_spikes|gradient of spikes",
    "grad_states": "grad_states|gradients? of (a )?state",
    "grad_last": "grad_last|gradients? of (a )?last state",
    "grad_last_spikes": "grad_last_spikes|gradient of last spikes",
}
"""What errors of the native module call an argument."""
REFUSED_BY_TORCH = ("vmap", "func.grad", "nested")
"""Kinds for which torch runs no code of an operator that has no rule for them."""
WORDS = ("words", "spikes")


def uses():
    for name, calls in CALLS.items():
        for i, arguments in enumerate(calls):
            for parameter, example, put in tensors(arguments):
                yield Use(
                    operator(name),
                    parameter,
                    example,
                    lambda x, name=name, put=put: operator(name)(**put(x)),
                    NAMED.get(parameter, ""),
                    says=str(i),
                    without=(*REFUSED_BY_TORCH, *(("int64",) if parameter in WORDS else ())),
                )


def longer(x):
    return torch.cat([x, x], -1)


def flat(x):
    return x.flatten()


def transposed(x):
    return x.mT if x.dim() > 1 else x[:1].expand(3, 1)


def shorter(x):
    return x[..., :-1]


ANY_SIZE = {
    ("convolve", "weight"): "its last axes are the kernel",
    ("weight_gradient", "grad"): "its last axis is the number of outputs",
    ("scan_forward", "x"): "its last axis is free beside a key",
    ("scan_backward", "x"): "it is not read where there is no key",
}
WRONG_NUMBERS = {
    "channels": (-2, 0, 1, 64, 2**40),
    "size": ([], [8], [5, 8, 1], [0, 8], [-5, -8], [5, 2**40]),
    "kernel": ([], [3], [0, 3], [3, -1], [2**40, 3]),
    "stride": ([], [1], [0, 1], [1, -1]),
    "padding": ([], [1], [-1, 1]),
    "dilation": ([], [1], [1, 0], [-1, 1], [2**62, 1]),
    "groups": (-1, 0, 3, 2**40),
    "outer": (-1, 0, 64, 2**40),
    "inner": (-1, 0, 64, 2**40),
    "neurons": (-1, -64, 0, 64, 129, 2**40, 2**62, 2**63 - 1),
    "axis": (-1, -2, 2, 2**40),
    "dtype": (torch.int64, torch.complex64, torch.float8_e4m3fn, torch.uint16),
}


def wrong_calls():
    """Calls whose arguments do not fit each other: what is wrong, the operator, its arguments."""
    for name, calls in CALLS.items():
        for arguments in calls:
            for parameter, example, put in tensors(arguments):
                for change in (longer, shorter, flat, transposed):
                    wrong = change(example)
                    if wrong.shape != example.shape and (name, parameter) not in ANY_SIZE:
                        yield f"{parameter} {change.__name__}", name, put(wrong)
            for parameter, numbers in WRONG_NUMBERS.items():
                for wrong in numbers if parameter in arguments else ():
                    yield f"{parameter} {wrong}", name, {**arguments, parameter: wrong}
            for parameter, value in arguments.items():
                if isinstance(value, list) and isinstance(value[0], torch.Tensor):
                    yield f"{parameter} []", name, {**arguments, parameter: []}
                    yield f"{parameter} twice", name, {**arguments, parameter: value * 2}
    outer, dense = CALLS["scan_backward"][1], CALLS["recurrent_backward"][0]
    yield "x None", "scan_backward", {**outer, "x": None}
    yield "spikes None", "recurrent_backward", {**dense, "spikes": None}


def faults():
    """What is wrong with what operators make of unusual tensors, and of wrong ones."""
    kinds = {**KINDS, **({"cuda": ON_CUDA} if torch.cuda.is_available() else {})}
    for use in uses():
        for kind in kinds.keys() - set(use.without):
            print(use.of, use.parameter, use.says, kind, flush=True)
            fault = outcome(use, kinds[kind])
            if fault:
                yield use.of, use.parameter, use.says, kind, fault
    for what, name, arguments in wrong_calls():
        print(name, what, flush=True)
        try:
            operator(name)(**arguments)
        except (TypeError, ValueError) as error:
            if not re.search(rf"\b({NAMED.get(what.split()[0], what.split()[0])})", str(error)):
                yield name, what, error
        except Exception as error:
            yield name, what, error
        else:
            yield name, what, "is taken"
