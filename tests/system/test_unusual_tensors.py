"""Everything public × every kind of tensor: right, or an exception that names the argument."""

import inspect

import pytest
import torch
from kinds import KINDS, ON_CUDA
from outcome import outcome
from uses import USES

from helpers.public import CALLABLE

# Whose tensors are not those of a user: torch calls it, or the library does.
EXEMPT = {
    "Constant": "a part of a graph, which capture makes",
    "export_onnx": "it writes what export_step makes, which has a use",
    "IntegerNetwork": "to_integer makes it, with its scales; its call has a use",
    "LayerDiagnosis": "a record, which diagnose makes",
    "StateQuant": "what autograd calls; state_quant makes the function that users call",
    "Captured": "a record, which capture makes",
    "Batch": "a record, which collate makes",
    "Binned": "a record, which binned makes",
    "Recording": "a record, which read makes",
    "SpikingNeuron": "the base class of neurons, which have uses of their own",
    "Neuron": "the base class of neurons of one's own",
    "LIF": "likewise: Leaky has them",
    **dict.fromkeys(
        ("Rule", "EProp", "ETLP", "OSTTP"),
        "matrices of feedback, which are looked at where a layer first uses them",
    ),
    "LossFunctions": "the base class of losses, which have uses of their own",
}
FORMULAS = {"derivative", "gradient", "primitive"}
"""Methods of surrogates that are formulas of torch's operations, which autograd calls."""
PREPARED = {
    *("step", "fire", "fire_inhibition", "mem_reset", "level", "winners", "hazard", "log_prob"),
    *("membrane", "taps", "others_after", "decay"),
    *("run", "native_refusal", "detach", "zeros", "like"),
    *("rounded", "gradients", "parts", "first_scale", "largest_scale"),
}
"""Methods of neurons, spikes and formats that take what a call has made of its user's tensors.

They are formulas of torch's operations, or hand on to the native module, which looks for itself.
"""
NAMES_OF_TENSORS = ("Tensor", "Trace", "Times")


@pytest.mark.parametrize("use", USES, ids=str)
@pytest.mark.filterwarnings("ignore")  # Some kinds are prototypes, others no picture.
def test_unusual_tensors(use):
    wrong = {name: outcome(use, kind) for name, kind in KINDS.items() if name not in use.without}
    assert not {name: fault for name, fault in wrong.items() if fault}


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
@pytest.mark.parametrize("use", USES, ids=str)
@pytest.mark.filterwarnings("ignore")
def test_tensors_on_another_device(use):
    assert outcome(use, ON_CUDA) is None


def takes_tensors(function):
    """The names of the arguments that are tensors."""
    return {
        name
        for name, parameter in inspect.signature(function).parameters.items()
        if any(kind in str(parameter.annotation) for kind in NAMES_OF_TENSORS)
        and not str(parameter.annotation).startswith("Callable")
    }


def functions_of(value):
    """What of something public is called: a function, or the public methods of a class."""
    if not inspect.isclass(value):
        return [value]
    called = ("__init__", "__call__")
    methods = inspect.getmembers(value, inspect.isfunction)
    return [function for name, function in methods if name[0] != "_" or name in called]


def test_every_public_tensor_has_a_use():
    listed = {(use.of, use.parameter) for use in USES}
    missing = {
        f"{function.__module__}.{function.__qualname__}: {name}"
        for value in CALLABLE.values()
        if inspect.isclass(value) or inspect.isfunction(value)
        for function in functions_of(value)
        if function.__module__.startswith("bitspike")
        and function.__qualname__.partition(".")[0] not in EXEMPT
        and function.__name__ not in FORMULAS | PREPARED
        for name in takes_tensors(function)
        if (function, name) not in listed
    }
    assert not missing
