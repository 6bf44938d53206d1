"""What watches or records torch's calls sees native ones too, or is told that it cannot."""

import copy
import io
import warnings
from functools import partial

import onnx
import pytest
import snntorch
import torch
from onnx.reference import ReferenceEvaluator
from torch import nn
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.checkpoint import (
    CheckpointPolicy,
    checkpoint,
    create_selective_checkpoint_contexts,
)
from torch.utils.flop_counter import FlopCounterMode

import bitspike as snn
from bitspike import functional as SF
from bitspike import spikegen
from bitspike.scan import linear_scan
from helpers.compare import same_bits


def sequences():
    """Two inputs: a program recorded with the first is run with the second."""
    generator = torch.Generator().manual_seed(0)
    return [torch.rand(6, 2, 5, generator=generator) * 3 for _ in range(2)]


torch.manual_seed(0)
WHOLE, SINGLE = snn.Leaky(beta=0.9, multi_step=True), snn.Leaky(beta=0.9)
RECURRENT = snn.RLeaky(beta=0.9, linear_features=5, multi_step=True)
LINEAR = nn.Linear(5, 3).requires_grad_(False)
RECURRENT.requires_grad_(False)
FUNCTIONS = {
    "a sequence": lambda x: WHOLE(x)[1],
    "spikes of a sequence": lambda x: WHOLE(x)[0] * 1,
    "counts": lambda x: WHOLE(x)[0].sum(0),
    "all spikes": lambda x: WHOLE(x)[0].sum(),
    "a product": lambda x: LINEAR(WHOLE(x)[0]),
    "a step": lambda x: SINGLE(x[0], torch.zeros(2, 5))[1],
    "a product of a step": lambda x: LINEAR(SINGLE(x[0], torch.zeros(2, 5))[0]),
    "recurrent": lambda x: RECURRENT(x)[1],
    "StateLeaky": lambda x: snn.StateLeaky(beta=0.9, channels=5)(x)[1],
    "linear_scan": lambda x: linear_scan(x, torch.tensor(0.5)),
    "count loss": lambda x: SF.ce_count_loss()(WHOLE(x)[0], torch.tensor([0, 1])),
    "time loss": lambda x: SF.ce_temporal_loss()(WHOLE(x)[0], torch.tensor([0, 1])),
    "pooling": lambda x: nn.functional.max_pool2d(WHOLE(x.view(6, 2, 1, 5, 1))[0], (2, 1)) * 1,
}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("mode", ["real", "fake"])
def test_make_fx_records_native_calls(name, mode):
    function, (example, x) = FUNCTIONS[name], sequences()
    recorded = make_fx(function, tracing_mode=mode, _allow_non_fake_inputs=True)(example)
    torch.testing.assert_close(recorded(x), function(x), rtol=1e-5, atol=1e-6)


def test_make_fx_records_gradients():
    def gradient(x):
        x = x.detach().requires_grad_()
        return torch.autograd.grad(WHOLE(x)[1].square().sum(), x)[0]

    example, x = sequences()
    assert same_bits(make_fx(gradient)(example)(x), gradient(x))


# Traced neurons return ordinary tensors, of which torch pools no sequences.
@pytest.mark.parametrize("name", sorted(FUNCTIONS.keys() - {"pooling"}))
@pytest.mark.filterwarnings("ignore")
def test_jit_traces_follow_their_input(name):
    function, (example, x) = FUNCTIONS[name], sequences()
    with torch.no_grad():
        traced = torch.jit.trace(function, example, check_trace=False)
        torch.testing.assert_close(traced(x), function(x), rtol=1e-5, atol=1e-6)


UNRECORDED = {
    "from_dense": lambda x: snn.SpikeTensor.from_dense((x > 1).float()).words,
    "rate": lambda x: spikegen.rate(x.clamp(0, 1), num_steps=3, packed=True).words,
}


@pytest.mark.parametrize("name", UNRECORDED)
@pytest.mark.filterwarnings("ignore")
def test_what_cannot_be_recorded_says_so(name):
    example, _ = sequences()
    for record in (make_fx(UNRECORDED[name]), partial(torch.jit.trace, UNRECORDED[name])):
        with pytest.raises((RuntimeError, TypeError), match="record|tracing tensor"):
            record(example)


class Recurring(nn.Module):
    """A snnTorch program: a loop over time of single steps."""

    def __init__(self, lif):
        super().__init__()
        self.fc, self.lif, self.out = nn.Linear(5, 4), lif, nn.Linear(4, 3)

    def forward(self, x):
        mem, results = torch.zeros(x.shape[1], 4), []
        for step in x.unbind(0):
            spikes, mem = self.lif(self.fc(step), mem)
            results.append(self.out(spikes))
        return torch.stack(results)


@pytest.mark.filterwarnings("ignore")
def test_jit_traces_of_modules():
    net, (example, x) = Recurring(snn.Leaky(beta=0.9)).requires_grad_(False), sequences()
    with torch.no_grad():
        traced = torch.jit.trace(net, example, check_trace=False)
        torch.testing.assert_close(traced(x), net(x))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("hidden", [False, True])
def test_the_older_onnx_exporter(hidden):
    if hidden:
        lif = snn.Leaky(beta=0.9, init_hidden=True)
        net, (example, x) = nn.Sequential(nn.Linear(5, 40), lif, nn.Linear(40, 3)), sequences()
        example, x = example[0], x[0]
    else:
        net, (example, x) = Recurring(snn.Leaky(beta=0.9)), sequences()
    with torch.no_grad():
        wanted = net(x)
        if hidden:
            lif.reset_mem()
        file = io.BytesIO()
        torch.onnx.export(net, (example,), file, dynamo=False)
    model = onnx.load_from_string(file.getvalue())
    names = [entry.name for entry in model.graph.input]
    (got,) = ReferenceEvaluator(model).run(None, {names[0]: x.numpy()})
    torch.testing.assert_close(torch.from_numpy(got), wanted, rtol=1e-5, atol=1e-5)


def counted(function):
    with FlopCounterMode(display=False) as counter:
        function()
    return counter.get_total_flops()


@pytest.mark.parametrize("layer", [nn.Linear(50, 40), nn.Linear(50, 40, bias=False)])
def test_flop_counters_count_what_a_dense_layer_would_do(layer):
    dense = (torch.rand(20, 32, 50) < 0.1).float()
    wanted = counted(lambda: layer(dense).sum().backward())
    assert wanted == 2 * 2 * 20 * 32 * 50 * 40
    for x in (snn.SpikeTensor.from_dense(dense), dense.as_subclass(snn.DenseSpikes)):
        assert counted(lambda x=x: layer(x).sum().backward()) == wanted


def test_flop_counters_count_recurrent_connections():
    theirs = snntorch.RLeaky(beta=0.9, linear_features=5)
    ours = snn.RLeaky(beta=0.9, linear_features=5, multi_step=True)
    ours.load_state_dict(theirs.state_dict())
    x = sequences()[0]

    def loop():
        spikes, mem = theirs.init_rleaky()
        total = 0
        for step in x:
            spikes, mem = theirs(step, spikes, mem)
            total = total + mem.sum()
        total.backward()

    # snnTorch's first step multiplies silence by the weight, and so does ours, with one sample.
    wanted = counted(loop)
    got = counted(lambda: ours(x)[1].sum().backward())
    assert 0.8 * wanted < got <= wanted


class Seen(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.names = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.names.append(str(func))
        return func(*args, **(kwargs or {}))


def test_modes_see_operators_and_change_no_bit():
    x = sequences()[0]
    wanted = [function(x) for function in FUNCTIONS.values()]
    with Seen() as seen:
        got = [function(x) for function in FUNCTIONS.values()]
    for name, a, b in zip(FUNCTIONS, got, wanted, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-6, msg=name)
    for operator in ("sequence_forward", "recurrent_forward", "scan_forward"):
        assert f"bitspike.{operator}.default" in seen.names


@pytest.mark.parametrize("kept", ["mm", "sequence_forward", "nothing", ""])
def test_selective_checkpoints(kept):
    def policy(context, operator, *args, **kwargs):
        keep = kept in str(operator)
        return CheckpointPolicy.MUST_SAVE if keep else CheckpointPolicy.PREFER_RECOMPUTE

    torch.manual_seed(0)
    layers = nn.Linear(5, 8), snn.Leaky(beta=0.9, multi_step=True), nn.Linear(8, 3)
    others = copy.deepcopy(layers)

    def run(x):
        return layers[2](layers[1](layers[0](x))[0])

    x = sequences()[0]
    contexts = partial(create_selective_checkpoint_contexts, policy)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        checkpoint(run, x, use_reentrant=False, context_fn=contexts).sum().backward()
    others[2](others[1](others[0](x))[0]).sum().backward()
    for layer, other in zip(layers, others, strict=True):
        for a, b in zip(layer.parameters(), other.parameters(), strict=True):
            torch.testing.assert_close(a.grad, b.grad)


@pytest.mark.parametrize("transform", [torch.func.grad, torch.func.jacrev, torch.vmap])
def test_native_calls_beside_what_is_transformed(transform):
    dense = (torch.rand(200, 30) < 0.05).float()
    spikes = snn.SpikeTensor.from_dense(dense)

    def function(w):
        again = snn.SpikeTensor.from_dense(dense)
        drawn = spikegen.rate(torch.ones(2, 30), num_steps=3, first_spike_time=1, packed=True)
        indices = spikes.to_indices()
        assert torch.equal(again.words, spikes.words)
        total = spikes.dense().sum() + len(indices) + drawn.sum() + again.density()
        return (w * total).sum()

    w = torch.rand(4)
    wanted = {
        torch.func.grad: torch.full((4,), float(dense.sum()) + 200 + 120 + float(dense.mean())),
    }
    wanted[torch.func.jacrev] = wanted[torch.func.grad]
    wanted[torch.vmap] = w * wanted[torch.func.grad]
    torch.testing.assert_close(transform(function)(w), wanted[transform])
