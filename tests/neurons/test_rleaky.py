"""RLeaky: a trace by hand, connections, and what is repaired in snnTorch 1.0.0."""

import copy
import pickle

import pytest
import snntorch
import torch

import bitspike as snn
from helpers.compare import dense, same_bits

TensorPair = tuple[torch.Tensor, torch.Tensor]


def together(neuron, x, states):
    """Spikes and membranes of single steps, and those of a whole sequence."""
    spikes, membranes = [], []
    spk, mem = states
    for current in x:
        spk, mem = neuron(current, spk, mem)
        spikes.append(spk)
        membranes.append(mem)
    twin = copy.deepcopy(neuron)
    twin.multi_step = True
    whole = twin(x, *states)
    assert same_bits(torch.stack(spikes), whole[0])
    assert same_bits(torch.stack(membranes), whole[1])
    return dense(whole[0]), whole[1]


# Traces by hand: β = 1/2, θ = 1

TRACES = {
    # U: 1.5 fires; 0.75 + 0.5 + 0.25 - 1; 0.25 + 1 fires; 0.625 + 0 + 0.25 - 1
    ("subtract", True): ([1, 0, 1, 0], [1.5, 0.5, 1.25, -0.125]),
    # All of 0.75 + 0.5 + 0.25 is erased, and of 0.5 + 0 + 0.25.
    ("zero", True): ([1, 0, 0, 0], [1.5, 0.0, 1.0, 0.5]),
    # 1.5 fires; 0.75 + 0.5 + 0.25 fires; 0.75 + 1 + 0.25 fires; 1 + 0 + 0.25 fires
    ("none", True): ([1, 1, 1, 1], [1.5, 1.5, 2.0, 1.25]),
    # 1.5 fires; 0.75 + 0.5 + 0.25 - 0.5; 0.5 + 1 fires; 0.75 + 0 + 0.25 - 0.5
    ("subtract_beta", True): ([1, 0, 1, 0], [1.5, 1.0, 1.5, 0.5]),
    # 1.5 - 1; 0.25 + 0.5 + 0.25; 0.5 + 1 - 1; 0.25 + 0 + 0.25
    ("subtract", False): ([1, 0, 1, 0], [0.5, 1.0, 0.5, 0.5]),
    # 0; 0 + 0.5 + 0.25; 0.375 + 1 is erased; 0 + 0 + 0.25
    ("zero", False): ([1, 0, 1, 0], [0.0, 0.75, 0.0, 0.25]),
}


@pytest.mark.parametrize("reset, delay", TRACES)
def test_traces(reset, delay):
    neuron = snn.RLeaky(0.5, V=0.25, all_to_all=False, reset_mechanism=reset, reset_delay=delay)
    x = torch.tensor([1.5, 0.5, 1.0, 0.0]).view(4, 1, 1)
    spikes, membrane = together(neuron, x, torch.zeros(2, 1, 1))
    wanted = TRACES[reset, delay]
    assert (spikes.flatten().tolist(), membrane.flatten().tolist()) == wanted


def test_trace_of_a_dense_connection():
    """Neuron 0 drives neuron 1, which slows neuron 0 down; the bias reaches both."""
    neuron = snn.RLeaky(0.5, linear_features=2)
    with torch.no_grad():
        neuron.recurrent.weight.copy_(torch.tensor([[0.0, -2.0], [1.0, 0.0]]))
        neuron.recurrent.bias.copy_(torch.tensor([0.25, 0.5]))
    x = torch.tensor([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]]).view(3, 1, 2)
    spikes, membrane = together(neuron, x, torch.zeros(2, 1, 2))
    # 1 + 0.25, 0.5; 0.625 + 1 + 0.25 - 1, 0.25 + 1 + 0.5; 0.4375 + 1 - 1.75, 0.875 + 0.5 - 1
    assert membrane.flatten().tolist() == [1.25, 0.5, 0.875, 1.75, -0.3125, 0.375]
    assert spikes.flatten().tolist() == [1, 0, 0, 1, 0, 0]


def test_spikes_before_the_first_step_may_be_any_numbers():
    neuron = snn.RLeaky(0.5, V=0.5, all_to_all=False)
    spikes, membrane = together(neuron, torch.zeros(1, 1, 1), torch.full((2, 1, 1), -0.75))
    assert membrane.item() == -0.375 - 0.375


# Connections


def test_convolutions_equal_snntorch():
    arguments = dict(beta=0.75, conv2d_channels=3, kernel_size=(3, 5), threshold=0.5)
    theirs, ours = snntorch.RLeaky(**arguments), snn.RLeaky(**arguments)
    with torch.no_grad():
        for x in theirs.recurrent.parameters():
            x.copy_((x * 64).round() / 64)
    ours.load_state_dict(theirs.state_dict(), strict=True)
    x = torch.randn(8, 2, 3, 6, 7)
    with torch.no_grad():
        spikes, membranes = together(ours, x, torch.zeros(2, 2, 3, 6, 7))
        spk = mem = torch.zeros(2, 3, 6, 7)
        for t, current in enumerate(x):
            spk, mem = theirs(current, spk, mem)
            assert same_bits(spk, spikes[t]) and same_bits(mem, membranes[t])


ARGUMENTS = (
    {},
    dict(conv2d_channels=3),
    dict(kernel_size=3),
    dict(linear_features=3, kernel_size=3),
    dict(linear_features=3, conv2d_channels=3),
    dict(all_to_all=False, linear_features=3),
    dict(all_to_all=False, conv2d_channels=3),
    dict(all_to_all=False, kernel_size=3),
)


@pytest.mark.parametrize("arguments", ARGUMENTS, ids=str)
def test_connections_that_are_refused(arguments):
    for library in (snntorch, snn):
        with pytest.raises(TypeError):
            library.RLeaky(0.9, **arguments)
        with pytest.raises(TypeError):
            library.RSynaptic(0.9, 0.9, **arguments)


CONNECTIONS = (
    dict(linear_features=5),
    dict(conv2d_channels=5, kernel_size=3),
    dict(all_to_all=False, V=torch.rand(5)),
)


@pytest.mark.parametrize("learn", [True, False])
@pytest.mark.parametrize("arguments", CONNECTIONS, ids=lambda a: next(iter(a)))
def test_what_is_learned(arguments, learn):
    theirs, ours = (
        library.RLeaky(0.9, **arguments, learn_recurrent=learn) for library in (snntorch, snn)
    )
    learned = [
        {name: x.requires_grad for name, x in neuron.named_parameters()}
        for neuron in (theirs, ours)
    ]
    assert learned[0] == learned[1]
    assert list(theirs.state_dict()) == list(ours.state_dict())


@pytest.mark.parametrize("learn", [True, False])
def test_weights_of_one_to_one_connections_are_one_tensor(learn):
    """Also after conversion (F30), copying and loading."""
    neuron = snn.RLeaky(0.9, V=torch.rand(5), all_to_all=False, learn_recurrent=learn)
    state = snn.RLeaky(0.9, V=torch.rand(5), all_to_all=False, learn_recurrent=learn).state_dict()
    for twin in (
        neuron,
        copy.deepcopy(neuron).double(),
        pickle.loads(pickle.dumps(neuron)),
        copy.deepcopy(neuron).to(torch.bfloat16),
    ):
        assert twin.V.equal(twin.recurrent.V) and twin.V.dtype == twin.recurrent.V.dtype
        twin.load_state_dict(state)
        assert twin.V.equal(twin.recurrent.V) and twin.V.equal(state["V"].to(twin.V.dtype))
        twin.load_state_dict(state, assign=True)
        assert twin.V.equal(twin.recurrent.V)


def test_the_connection_is_used_once_per_step():
    """F21: snnTorch evaluates it twice when it resets to zero."""
    neuron = snn.RLeaky(0.9, linear_features=5, reset_mechanism="zero", multi_step=True)
    calls = []
    neuron.recurrent.register_forward_hook(lambda *_: calls.append(1))
    neuron(torch.rand(7, 2, 5))
    assert len(calls) == 7


def test_hooks_and_other_modules_are_called():
    neuron = snn.RLeaky(0.5, linear_features=5, multi_step=True)
    x = torch.rand(6, 2, 5) * 2
    plain = neuron(x)
    twice = copy.deepcopy(neuron)
    twice.recurrent.register_forward_hook(lambda module, args, out: out * 2)
    assert not plain[1].equal(twice(x)[1])
    twice.recurrent = torch.nn.Sequential(neuron.recurrent, torch.nn.Identity())
    assert plain[1].allclose(twice(x)[1], atol=1e-5)


# dtypes


@pytest.mark.parametrize("arguments", CONNECTIONS[::2], ids=lambda a: next(iter(a)))
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_dtypes(arguments, dtype):
    """F11: spikes follow the input; states of half precision are float32."""
    neuron = snn.RLeaky(0.5, **arguments).to(dtype)
    twin = copy.deepcopy(neuron)
    twin.multi_step = True
    x = torch.rand(5, 2, 5, dtype=dtype)
    state = dtype if dtype == torch.float64 else torch.float32
    spk = mem = torch.zeros(2, 5, dtype=state)
    spikes, membranes = twin(x)
    for t, current in enumerate(x):
        spk, mem = neuron(current, spk, mem)
        assert spk.dtype == dtype and mem.dtype == state
        assert spk.equal(dense(spikes)[t]) and mem.allclose(membranes[t])
    assert spikes.dtype == dtype and neuron.spk.dtype == state


# Refusals and errors


def test_what_native_layers_refuse():
    x = torch.zeros(3, 2, 5)
    neuron = snn.RLeaky(0.5, linear_features=5)
    assert neuron.native_refusal(x) is None
    neuron.graded_spikes_factor.fill_(2)
    assert "graded_spikes_factor" in neuron.native_refusal(x)
    assert neuron(x[0])[0].shape == (2, 5)
    assert "float64" in snn.RLeaky(0.5, linear_features=5).double().native_refusal(x)


@pytest.mark.parametrize("multi_step", [True, False])
def test_input_that_does_not_fit(multi_step):
    neuron = snn.RLeaky(0.5, linear_features=5, multi_step=multi_step)
    with pytest.raises(ValueError, match="linear_features=5"):
        neuron(torch.zeros(3, 2, 4))
    neuron = snn.RLeaky(0.5, V=torch.rand(5), all_to_all=False, multi_step=multi_step)
    with pytest.raises(ValueError, match="recurrent makes|does not broadcast|V"):
        neuron(torch.zeros(3, 2, 1))
    neuron = snn.RLeaky(0.5, conv2d_channels=1, kernel_size=2, multi_step=multi_step)
    with pytest.raises(ValueError, match="must keep their shape"):
        neuron(
            torch.zeros(3, 2, 1, 4, 4)[int(not multi_step) :][0 if not multi_step else slice(None)]
        )


def test_fire_first_is_refused():
    with pytest.raises(ValueError, match="fire_first"):
        snn.RLeaky(0.5, linear_features=5, order="fire_first")


def test_in_a_network():
    net = torch.nn.Sequential(
        torch.nn.Linear(6, 5),
        snn.RLeaky(0.5, linear_features=5, init_hidden=True),
        torch.nn.Linear(5, 3),
        snn.Leaky(0.5, init_hidden=True),
    )
    x = torch.rand(7, 2, 6)
    whole = snn.unroll(net, x)
    net[1].reset_mem(), net[3].reset_mem()
    assert same_bits(torch.stack([net(step) for step in x]), whole)
    whole.sum().backward()
    assert all(p.grad is not None for p in net[1].parameters())
