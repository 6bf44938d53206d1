"""What Python and the native module must agree on, and what the environment switches."""

import dataclasses
import os

import pytest
import torch

import bitspike as snn
from bitspike import neurons, surrogate
from bitspike.neurons.base import run
from bitspike.ops import _native
from helpers.program import assert_succeeds, run_program

ABOUT = _native.describe()


def test_neurons():
    listed = {
        kind.NAME: (list(kind.PARAMETERS), list(kind.STATES), list(kind.RESETS), kind.IMMEDIATE)
        for kind in neurons.ALL
    }
    assert listed == ABOUT["neurons"]


def test_neurons_are_public():
    for kind in neurons.ALL:
        assert getattr(snn, kind.__name__) is kind


def test_surrogates():
    listed = {
        kind.NAME: [field.name for field in dataclasses.fields(kind)] for kind in surrogate.ALL
    }
    # Switches to forms that the native module does not know.
    for names in listed.values():
        for switch in {"centered", "legacy", "normalized"} & set(names):
            names.remove(switch)
    assert listed == ABOUT["surrogates"]


@pytest.mark.parametrize("kind", surrogate.ALL)
def test_surrogates_pass_their_parameters_in_order(kind):
    names = ABOUT["surrogates"][kind.NAME]
    values = {name: 0.25 + i for i, name in enumerate(names)}
    assert kind(**values).is_native() and kind(**values).parameters == list(values.values())


def test_resets():
    assert list(snn.SpikingNeuron.reset_dict) == list(ABOUT["resets"])
    assert list(snn.SpikingNeuron.reset_dict.values()) == list(range(len(ABOUT["resets"])))


def test_version():
    assert snn.__version__ == ABOUT["version"]


def test_show_config():
    shown = snn.show_config()
    for part in (snn.__version__, torch.__version__, ABOUT["isa"], *ABOUT["isas"], "threads"):
        assert part in shown


def test_threads_are_torchs(threads):
    for count in (1, 2):
        threads(count)
        assert _native.describe()["threads"] == count


# The environment


def test_the_isa_of_the_environment_is_used():
    for isa in ABOUT["isas"]:
        source = "import bitspike; print(bitspike.show_config())"
        shown = assert_succeeds(source, BITSPIKE_ISA=isa)
        assert f"instruction set: {isa}, forced by BITSPIKE_ISA" in shown


MISSING = sorted({"avx2", "avx512", "neon"} - set(ABOUT["isas"]))


@pytest.mark.parametrize("name", ["nonsense", "", *MISSING])
def test_an_isa_that_is_not_there_is_one_clear_error(name):
    result = run_program("import bitspike", BITSPIKE_ISA=name)
    if name == "":
        assert result.returncode == 0, result.stderr
        return
    assert result.returncode == 1
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("ValueError: BITSPIKE_ISA is") and name in last


def test_force_isa(force_isa):
    for isa in ABOUT["isas"]:
        assert force_isa(isa) == isa == _native.describe()["isa"]
    with pytest.raises(ValueError, match="nonsense"):
        force_isa("nonsense")
    assert _native.describe()["isa"] == ABOUT["isas"][-1]
    if "BITSPIKE_ISA" not in os.environ:
        assert force_isa(None) == ABOUT["isas"][-1]


# Native or not


def halve(x):
    return x / 2


REFUSALS = {
    "function": (dict(spike_grad=lambda x: (x > 0).float()), torch.zeros(2, 3), "spike_grad"),
    "custom": (
        dict(spike_grad=surrogate.custom_surrogate(lambda x, g, s: g)),
        torch.zeros(2, 3),
        "CustomSurrogate",
    ),
    "noise": (dict(spike_grad=surrogate.SSO()), torch.zeros(2, 3), "StochasticSpikeOperator"),
    "quantised": (dict(state_quant=halve), torch.zeros(2, 3), "state_quant"),
    "double": ({}, torch.zeros(2, 3, dtype=torch.float64), "float64"),
    "meta": ({}, torch.zeros(2, 3, device="meta"), "meta"),
    "double beta": (dict(beta=torch.full((3,), 0.9).double()), torch.zeros(2, 3), "float64"),
}


AS_PROGRAMS = ("function", "custom", "noise", "quantised")
"""Those that run without a kernel, but natively."""


@pytest.mark.filterwarnings("ignore::bitspike.ReferencePathWarning")
@pytest.mark.parametrize("case", REFUSALS)
def test_refusals_say_why(case, monkeypatch):
    arguments, x, reason = REFUSALS[case]
    neuron = snn.Leaky(**(dict(beta=0.9) | arguments))
    assert reason in neuron.native_refusal(x)
    neuron(x)
    monkeypatch.setenv("BITSPIKE_STRICT", "1")
    if case in AS_PROGRAMS:
        neuron(x)
        monkeypatch.setattr(run, "run_program", lambda *_: None)
    with pytest.raises(RuntimeError, match="BITSPIKE_STRICT=1") as caught:
        neuron(x)
    assert reason in str(caught.value)


def test_inhibition_is_refused():
    with pytest.warns(UserWarning, match="inhibition"):
        neuron = snn.Leaky(beta=0.9, inhibition=True)
    assert "inhibition" in neuron.native_refusal(torch.zeros(2, 3))


def test_transforms_of_functions_are_refused():
    neuron = snn.Leaky(beta=0.9)
    reasons = []

    def call(x):
        reasons.append(neuron.native_refusal(x))
        return x

    torch.func.vmap(call)(torch.zeros(2, 3))
    assert "torch.func" in reasons[0]


@pytest.mark.parametrize("kind", surrogate.ALL)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_what_is_native_says_so(kind, dtype, strict):
    neuron = snn.Leaky(beta=0.9, spike_grad=kind())
    x = torch.zeros(2, 3, dtype=dtype)
    assert neuron.native_refusal(x) is None
    neuron(x)
