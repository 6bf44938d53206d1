"""States start at rest, and the arguments of neurons in millivolts."""

import pickle

import pytest
import torch

import bitspike as snn

IN_MILLIVOLTS = (snn.QIF, snn.EIF, snn.AdEx, snn.Izhikevich, snn.HodgkinHuxley)
RESTS = {
    snn.Leaky: (dict(beta=0.9), [0.0]),
    snn.ALIF: (dict(beta=0.9, rho=0.9, beta_a=0.1), [0.0, 0.0]),
    snn.QIF: ({}, [-65.0]),
    snn.EIF: (dict(u_rest=-70.0), [-70.0]),
    snn.AdEx: ({}, [0.0, -70.6]),
    # 0.04·4900 - 4.8·70 + 140 = 0
    snn.Izhikevich: ({}, [-14.0, -70.0]),
    snn.HodgkinHuxley: ({}, [0.052932, 0.596121, 0.317677, -65.0]),
}
all_kinds = pytest.mark.parametrize("kind", RESTS)


def states_of(neuron):
    return [getattr(neuron, name) for name in neuron.STATES]


@all_kinds
@pytest.mark.filterwarnings("ignore::bitspike.ReferencePathWarning")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_a_call_without_states_starts_at_rest(kind, dtype):
    arguments, rest = RESTS[kind]
    neuron = kind(**arguments)
    x = torch.randn(2, 3, dtype=dtype)
    wanted = torch.float64 if dtype == torch.float64 else torch.float32
    given = [torch.full((2, 3), value, dtype=wanted) for value in rest]
    expected = neuron(x, *given)
    fresh = kind(**arguments)
    for one, other in zip(expected, fresh(x), strict=True):
        assert (one - other).abs().max() < 1e-4
    assert all(state.dtype == wanted for state in states_of(fresh))


@all_kinds
def test_reset_mem_puts_the_states_to_rest(kind):
    arguments, rest = RESTS[kind]
    neuron = kind(**arguments, init_hidden=True)
    neuron(torch.randn(2, 3))
    returned = neuron.reset_mem()
    returned = returned if isinstance(returned, tuple) else (returned,)
    for state, kept, value in zip(returned, states_of(neuron), rest, strict=True):
        assert kept is state and state.shape == (2, 3)
        assert (state - value).abs().max() < 1e-4
    neuron(torch.randn(2, 3))
    kind.reset_hidden()
    for state, value in zip(states_of(neuron), rest, strict=True):
        assert (state - value).abs().max() < 1e-4


@all_kinds
def test_another_shape_starts_at_rest(kind):
    arguments, rest = RESTS[kind]
    neuron = kind(**arguments, init_hidden=True, output=True)
    neuron(torch.full((2, 3), 3.0))
    _, *states = neuron(torch.zeros(4, 3))
    # Hodgkin and Huxley's rest is rounded to six digits.
    for state, value in zip(states, rest, strict=True):
        assert state.shape == (4, 3) and (state - value).abs().max() < 0.2


@all_kinds
def test_before_the_first_call_there_is_no_state(kind):
    neuron = kind(**RESTS[kind][0])
    neuron.reset_mem()
    assert all(state.shape == (0,) for state in states_of(neuron))
    copy = pickle.loads(pickle.dumps(neuron))
    assert all(state.shape == (0,) for state in states_of(copy))


def test_each_neuron_has_its_own_rest():
    b = torch.tensor([0.2, 0.25, 1.0], requires_grad=True)
    neuron = snn.Izhikevich(b=b, learn_b=True, init_hidden=True)
    neuron(torch.zeros(2, 3))
    neuron.reset_mem()
    # Without a rest, b = 1, the membrane starts where 0.04v² + 4v + 140 is smallest.
    assert neuron.v[1].tolist() == pytest.approx([-70, -64.414, -50], abs=1e-3)
    assert neuron.u[1].tolist() == pytest.approx([-14, -16.104, -50], abs=1e-3)
    assert not neuron.v.requires_grad
    assert neuron(torch.zeros(0, 3)).shape == (0, 3)


def test_a_rest_that_does_not_fit_is_refused():
    neuron = snn.EIF(u_rest=torch.zeros(5))
    with pytest.raises(ValueError, match=r"mem at rest has shape \(5,\).*\(2, 3\)"):
        neuron(torch.zeros(2, 3))


@pytest.mark.parametrize("kind", IN_MILLIVOLTS)
def test_the_reset_is_the_models_own(kind):
    with pytest.raises(TypeError, match="reset_mechanism"):
        kind(reset_mechanism="none")
    with pytest.raises(ValueError, match="reset_delay=False is not offered"):
        kind(reset_delay=False)
    with pytest.raises(ValueError, match="reset_mechanism must be one of '(zero|none)', not"):
        kind().reset_mechanism = "subtract"
    with pytest.raises(ValueError, match=r"spike_range must be \(0, 1\) for .*\(-1, 1\)"):
        kind(spike_range=(-1, 1))
    assert kind(threshold=-20.0).threshold == -20


@pytest.mark.parametrize("kind", IN_MILLIVOLTS)
@pytest.mark.parametrize("dt", [0.0, -0.1, float("nan")])
def test_dt_must_be_positive(kind, dt):
    with pytest.raises(ValueError, match="dt must be positive"):
        kind(dt=dt)


@pytest.mark.parametrize(
    "kind, name",
    [
        (snn.QIF, "tau"),
        (snn.EIF, "delta_t"),
        (snn.AdEx, "tau_w"),
        (snn.HodgkinHuxley, "capacitance"),
    ],
)
def test_what_divides_must_be_positive(kind, name):
    with pytest.raises(ValueError, match=f"{name} must be positive"):
        kind(**{name: torch.tensor([1.0, 0.0])})


@pytest.mark.parametrize("kind", IN_MILLIVOLTS)
def test_compiled(kind):
    torch._dynamo.reset()
    neuron = kind(multi_step=True)
    x = torch.randn(20, 2, 3) * 20 + 20
    compiled = torch.compile(neuron, fullgraph=True, backend="eager")
    for one, other in zip(neuron(x), compiled(x), strict=True):
        assert one.shape == other.shape
        one, other = (y.dense() if isinstance(y, snn.SpikeTensor) else y for y in (one, other))
        assert one.equal(other)
