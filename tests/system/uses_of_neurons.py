"""Calls of every neuron: its input in steps and in sequences, its states, its parameters."""

import copy
import inspect

import torch
from outcome import Use

from bitspike import neurons

T, B, N = 3, 2, 3
CURRENT = ((torch.arange(T * B * N) * 7 % 11) / 8 - 0.25).view(T, B, N)
STATE = CURRENT[0] / 2
DECAYS = torch.tensor([0.25, 0.5, 0.75])
KERNEL = torch.tensor([1.0, 0.5])

ARGUMENTS = {
    "DeltaLeaky": {"beta": DECAYS},
    "ALIF": {"rho": DECAYS, "beta_a": DECAYS / 2},
    "ResonateAndFire": {"b": -DECAYS, "omega": DECAYS * 2},
    "QIF": {"dt": 0.5},
    "RLeaky": {"V": 0.5, "all_to_all": False},
    "RSynaptic": {"V": 0.5, "all_to_all": False},
    "RALIF": {"rho": DECAYS, "beta_a": DECAYS / 2, "V": 0.5, "all_to_all": False},
    "SLSTM": {"input_size": N, "hidden_size": N, "threshold": 0.125},
    "SGRU": {"input_size": N, "hidden_size": N, "threshold": 0.125},
    "SConv2dLSTM": {"in_channels": 1, "out_channels": 1, "kernel_size": 3, "threshold": 0.125},
    "SRM0": {"response": KERNEL, "after_spike": -KERNEL},
    "ModulatedLeaky": {"gain": DECAYS},
    "TCLIF": {"feedback": DECAYS, "gamma": DECAYS},
    "CobaLIF": {"dt": 1.0},
    "GLIF": {"T": T, "channels": N},
    "PSN": {"T": T},
    "MaskedPSN": {"T": T, "k": 2},
    "SlidingPSN": {"k": 2},
    "StateLeaky": {"channels": N},
    "LinearLeaky": {"in_features": N, "out_features": N},
    "LeakyParallel": {"input_size": N, "hidden_size": N},
    "AssociativeLeaky": {"in_dim": N, "d_value": 2, "d_key": 2},
}
"""What kinds need, beside decays of each neuron."""
SCALES = {"QIF": 64.0, "EIF": 64.0, "AdEx": 2048.0, "Izhikevich": 64.0, "HodgkinHuxley": 32.0}
"""What a current of 1 is to neurons of millivolts."""
REQUIRED = {"alpha": (DECAYS + 1) / 2, "beta": DECAYS}
RANDOM = ("EscapeLeaky",)
ONLY_SEQUENCES = ("StateLeaky", "LinearLeaky", "LeakyParallel", "AssociativeLeaky", "PSN")
WITH_WEIGHTS = {"SLSTM", "SGRU", "SConv2dLSTM", "LinearLeaky", "LeakyParallel", "AssociativeLeaky"}
WITH_RANDOM_NUMBERS = {*WITH_WEIGHTS, "PSN", "MaskedPSN"}
"""Kinds that begin with other numbers under another default dtype."""
KINDS_OF_NEURONS = [
    value
    for value in vars(neurons).values()
    if inspect.isclass(value)
    and issubclass(value, torch.nn.Module)
    and value not in (neurons.SpikingNeuron, neurons.LIF, neurons.Neuron)
]


def arguments_of(kind):
    """Valid arguments, by name."""
    signature = inspect.signature(kind.__init__).parameters
    required = {name: x for name, x in REQUIRED.items() if name in signature}
    if kind.__name__ == "Lapicque":
        required = {"beta": DECAYS}
    return {**required, **ARGUMENTS.get(kind.__name__, {})}


def neuron(kind, **others):
    torch.manual_seed(2)
    return kind(**{**arguments_of(kind), **others})


def named_tensors(function):
    return [
        name
        for name, parameter in inspect.signature(function).parameters.items()
        if "Tensor" in str(parameter.annotation)
        and not str(parameter.annotation).startswith("Callable")
    ]


def fresh(made):
    """A layer like this one, that has seen nothing."""
    return copy.copy(made)


def uses_of(kind):
    name = kind.__name__
    scale = SCALES.get(name, 1.0)
    x = CURRENT * scale
    if name == "SConv2dLSTM":
        x = x.view(T, B, 1, 1, N)
    random = name in RANDOM
    without = (*(DTYPES if name in WITH_WEIGHTS else ()), *WITHOUT.get(name, ()))
    step = neuron(kind)
    made = step if name in ONLY_SEQUENCES else neuron(kind, multi_step=True)
    first, *states = named_tensors(kind.forward)
    named = rf"{first}\b|membrane of one step|the input on"
    if name in WITH_WEIGHTS:
        named += f"|{OF_TORCH}"
    yield Use(
        kind.forward,
        first,
        x,
        lambda x: fresh(made)(x),
        named,
        random,
        f"{name}, a sequence",
        without,
    )
    if made is not step:
        yield Use(
            kind.forward,
            first,
            x[0],
            lambda x: fresh(step)(x),
            named,
            random,
            f"{name}, a step",
            without,
        )
    if "run_sequence" in vars(kind):
        run = kind.run_sequence
        named = f"{named}|x"
        yield Use(run, "input_", x, lambda x: run(made, x), named, random, name, without)
    rest = fresh(made)
    rest(x)
    given = [getattr(rest, state).clone() for state in states]
    for i, state in enumerate(states):

        def call(y, i=i):
            return fresh(made)(x, *given[:i], y, *given[i + 1 :])

        yield Use(kind.forward, state, given[i], call, "", random, name, without)
    for parameter in named_tensors(kind.__init__):
        value = getattr(made, parameter, None)
        value = value.detach().clone() if isinstance(value, torch.Tensor) else torch.tensor(1.0)

        def call(y, parameter=parameter):
            return neuron(kind, **sequences(kind), **{parameter: y})(x)

        # PLIF keeps w, the logit of beta.
        named = rf"{parameter}\b|is on meta|w is on|{OF_TORCH}|against the membrane"
        known = "meta" if (name, parameter) in IGNORED else ""
        skipped = (*without, *MADE, known)
        yield Use(kind.__init__, parameter, value, call, named, random, name, skipped)


def sequences(kind):
    return {} if kind.__name__ in ONLY_SEQUENCES else {"multi_step": True}


DTYPES = ("bool", "int8", "uint8", "uint16", "int64", "float64", "bfloat16", "float16")
"""Numbers that torch does not multiply with weights of float32."""
WITHOUT = {
    "SLSTM": ("vmap",),  # for which torch's cell has no rule
    "EscapeLeaky": ("backwards",),  # whose numbers torch draws in the order of memory
}
IGNORED = {("DeltaLeaky", "threshold"), ("DeltaLeaky", "graded_spikes_factor")}
"""Arguments without effect, as in snnTorch: that there are no numbers in one does not matter."""
OF_TORCH = "on the (expected|same) device|out of meta|on meta tensors|size of tensor"
"""What torch says of a module whose weights or parameters do not fit each other."""
MADE = ("default float64", "default bfloat16", "default device", "vmap", "func.grad", "fake")
"""Where a module that is made there has other numbers, or none: `test_defaults` has these."""
NEURONS = [use for kind in KINDS_OF_NEURONS for use in uses_of(kind)]
