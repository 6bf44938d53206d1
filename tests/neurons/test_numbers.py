"""Parameters that are numbers of any kind, and what is said when a parameter leaves the kernels."""

import warnings

import numpy as np
import pytest
import torch

import bitspike as snn
from helpers.compare import dense

BETA = float(np.exp(-1 / 20))
KINDS = {
    "numpy.float64": np.float64,
    "numpy array without axes": np.array,
    "float64 tensor": lambda x: torch.tensor(x, dtype=torch.float64),
}
kinds = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)

NEURONS = {
    "Leaky": lambda n: snn.Leaky(beta=n(BETA), threshold=n(0.7), multi_step=True),
    "graded": lambda n: snn.Leaky(beta=0.9, graded_spikes_factor=n(1.0), multi_step=True),
    "Synaptic": lambda n: snn.Synaptic(alpha=n(BETA), beta=n(0.9), multi_step=True),
    "RLeaky": lambda n: snn.RLeaky(n(BETA), V=n(0.3), all_to_all=False, multi_step=True),
    "LI": lambda n: snn.LI(beta=n(BETA), multi_step=True),
    "Lapicque": lambda n: snn.Lapicque(beta=n(BETA), R=n(1.3), multi_step=True),
    "Alpha": lambda n: snn.Alpha(alpha=n(BETA), beta=n(0.3), multi_step=True),
    "PLIF": lambda n: snn.PLIF(beta=n(BETA), multi_step=True),
    "DeltaLeaky": lambda n: snn.DeltaLeaky(n(0.2), beta=n(BETA), multi_step=True),
    "QIF": lambda n: snn.QIF(tau=n(9.3), dt=n(0.2), multi_step=True),
    "StateLeaky": lambda n: snn.StateLeaky(beta=n(BETA), channels=5),
    "LinearLeaky": lambda n: snn.LinearLeaky(n(BETA), 5, 5, threshold=n(0.7)),
    "LeakyParallel": lambda n: snn.LeakyParallel(5, 5, beta=n(BETA), threshold=n(0.7)),
}


@kinds
@pytest.mark.parametrize("make", NEURONS.values(), ids=NEURONS)
def test_a_number_of_any_kind_counts_what_the_python_number_counts(make, kind, strict):
    x = torch.rand(20, 4, 5)
    torch.manual_seed(1)
    wanted = make(float)
    torch.manual_seed(1)
    neuron = make(kind)
    assert all(value.dtype == torch.float32 for value in neuron.parameters())
    results = [neuron(x), wanted(x)]
    results = [[r] if isinstance(r, torch.Tensor) else list(r) for r in results]
    for got, expected in zip(*results, strict=True):
        if isinstance(expected, tuple):
            got, expected = got[0], expected[0]
        assert type(got) is type(expected)
        assert torch.equal(dense(got), dense(expected))


@kinds
def test_a_number_follows_the_default_dtype_and_double(kind):
    x = torch.rand(20, 4, 5, dtype=torch.float64)
    neuron = snn.Leaky(beta=kind(BETA), multi_step=True).double()
    assert neuron.beta.dtype == torch.float64
    assert neuron(x)[1].dtype == torch.float64
    torch.set_default_dtype(torch.float64)
    try:
        assert snn.Leaky(beta=kind(BETA)).beta.item() == BETA
    finally:
        torch.set_default_dtype(torch.float32)


def test_a_float64_number_of_a_state_dict_is_loaded_into_the_dtype_of_the_module():
    neuron = snn.Leaky(beta=0.5, multi_step=True)
    state = neuron.state_dict() | {"beta": torch.tensor(BETA, dtype=torch.float64)}
    neuron.load_state_dict(state)
    assert neuron.native_refusal(torch.zeros(2)) is None
    assert torch.equal(neuron.beta, torch.tensor(BETA))


def test_a_parameter_that_is_learned_elsewhere_stays_the_same_tensor():
    beta = torch.nn.Parameter(torch.tensor(0.9, dtype=torch.float64))
    assert snn.Leaky(beta=beta).beta is beta


# Leaving the kernels


def warned(function) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        function()
    assert all(issubclass(warning.category, snn.ReferencePathWarning) for warning in caught)
    return [str(warning.message) for warning in caught]


SURPRISES = {
    "parameter": lambda: snn.Leaky(beta=torch.full((3,), 0.9).double())(torch.rand(2, 3)),
    "input": lambda: snn.Leaky(beta=0.9)(torch.rand(2, 3).double()),
    "sequence": lambda: snn.StateLeaky(0.9, 3)(torch.rand(4, 2, 3).double()),
    "threshold": lambda: snn.LeakyParallel(3, 3, threshold=torch.ones(3).double())(
        torch.rand(4, 2, 3)
    ),
    "scan": lambda: snn.scan.linear_scan(torch.rand(4, 3), torch.ones(3).double()),
}


@pytest.mark.parametrize("call", SURPRISES.values(), ids=SURPRISES)
def test_an_input_and_a_parameter_of_two_dtypes_are_told_once(call):
    (message,) = warned(lambda: [call() for _ in range(3)])
    assert "float64" in message


def test_another_class_is_told_again():
    def call():
        for kind in (snn.Leaky, snn.PLIF, snn.Leaky):
            kind(beta=torch.full((3,), 0.9).double())(torch.rand(2, 3))

    assert [message.split()[0] for message in warned(call)] == ["Leaky", "PLIF"]


CHOSEN = {
    "double": lambda: snn.Leaky(beta=0.9).double()(torch.rand(2, 3).double()),
    "surrogate": lambda: snn.Leaky(beta=0.9, spike_grad=torch.relu)(torch.rand(2, 3)),
    "surrogate, double": lambda: snn.Leaky(beta=0.9, spike_grad=torch.relu)(
        torch.rand(2, 3).double()
    ),
    "state_quant": lambda: snn.Leaky(beta=0.9, state_quant=torch.round)(torch.rand(2, 3)),
    "meta": lambda: snn.Leaky(beta=0.9)(torch.rand(2, 3, device="meta")),
    "transform": lambda: torch.func.vmap(snn.Leaky(beta=0.9))(torch.rand(2, 3).bfloat16()),
    "double weights": lambda: snn.LeakyParallel(3, 3, dtype=torch.float64)(
        torch.rand(4, 2, 3).double()
    ),
    "native": lambda: snn.Leaky(beta=0.9)(torch.rand(2, 3).bfloat16()),
    "integers": lambda: snn.Leaky(beta=1)(torch.ones(2, 3, dtype=torch.int64)),
}


@pytest.mark.parametrize("call", CHOSEN.values(), ids=CHOSEN)
def test_what_was_chosen_is_not_told(call):
    assert warned(call) == []
