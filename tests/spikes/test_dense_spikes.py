"""Spikes of single steps, which nn.Linear packs by itself."""

import copy
import io
import pickle
import subprocess
import sys

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader

import bitspike as snn
from bitspike import DenseSpikes, SpikeTensor
from bitspike.spikes.dense import as_dense_spikes


@pytest.fixture
def unpacked():
    """Lets torch do all products of dense spikes."""
    DenseSpikes.packs = False
    yield
    DenseSpikes.packs = True


def random(*shape, density=0.1):
    return as_dense_spikes((torch.rand(shape) < density).float())


def packed_in(layer, x):
    """Whether the layer multiplies bits."""
    return layer(x).grad_fn.name() in ("LinearBackward", "LinearOfFloatsBackward")


@pytest.mark.isa
@pytest.mark.parametrize("rows", [64, 200])
@pytest.mark.parametrize("bias", [True, False])
def test_linear_is_the_dense_one(rows, bias):
    layer = nn.Linear(300, 90, bias=bias)
    source = torch.rand(rows, 300, requires_grad=True)
    x = as_dense_spikes((source < 0.1).float() + (source - source.detach()))
    out, expected = layer(x), layer(x.as_subclass(torch.Tensor))
    assert packed_in(layer, x) and type(out) is torch.Tensor
    torch.testing.assert_close(out, expected)
    weights = torch.randn_like(out)
    gradients = [
        torch.autograd.grad((y * weights).sum(), [source, *layer.parameters()], retain_graph=True)
        for y in (out, expected)
    ]
    for ours, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5 * theirs.abs().max().item())


def test_integer_weights_give_the_same_bits():
    layer = nn.Linear(300, 90)
    with torch.no_grad():
        layer.weight.copy_(torch.randint(-5, 6, (90, 300)))
        layer.bias.copy_(torch.randint(-5, 6, (90,)))
    x = random(7, 64, 300)
    assert torch.equal(layer(x), layer(x.as_subclass(torch.Tensor)))


@pytest.mark.parametrize(
    "change",
    [
        lambda x: x.mul_(0.5),
        lambda x: x.index_fill_(0, torch.tensor([3]), 2.0),
        lambda x: x.fill_(float("nan")),
        lambda x: x.fill_(1.0),
    ],
    ids=["halves", "a two", "nan", "all ones"],
)
def test_what_is_not_sparse_spikes_goes_to_torch(change):
    layer, x = nn.Linear(300, 90), random(128, 300)
    change(x)
    assert not packed_in(layer, x)
    expected = layer(x.as_subclass(torch.Tensor))
    assert torch.equal(layer(x).nan_to_num(7), expected.nan_to_num(7))


def test_products_can_be_left_to_torch(unpacked):
    layer, x = nn.Linear(300, 90), random(128, 300)
    assert not packed_in(layer, x)
    assert torch.equal(layer(x), layer(x.as_subclass(torch.Tensor)))


@pytest.mark.parametrize("shape", [(300,), (1, 300), (0, 300), (3, 300)])
def test_few_rows_go_to_torch(shape):
    layer, x = nn.Linear(300, 90), random(*shape)
    assert not packed_in(layer, x)
    assert torch.equal(layer(x), layer(x.as_subclass(torch.Tensor)))


def test_wrong_width_fails_as_in_torch():
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        nn.Linear(301, 90)(random(128, 300))


@pytest.mark.parametrize(
    "still",
    [
        lambda x: x[1],
        lambda x: x[:, 2:5],
        lambda x: next(iter(x)),
        lambda x: x.unbind(0)[0],
        lambda x: torch.stack([x, x]),
        lambda x: torch.cat([x, x]),
        lambda x: x.view(-1),
        lambda x: x.flatten(1),
        lambda x: x.detach(),
        lambda x: x.transpose(0, 1),
    ],
)
def test_slices_and_views_are_spikes(still):
    x = random(4, 5, 6)
    assert type(still(x)) is DenseSpikes
    assert torch.equal(still(x), still(x.as_subclass(torch.Tensor)))


@pytest.mark.parametrize(
    "arithmetic", [lambda x: x + 1, lambda x: x.sum(0), lambda x: x @ x.t(), lambda x: x > 0]
)
def test_results_of_arithmetic_are_plain(arithmetic):
    assert type(arithmetic(random(5, 6))) is torch.Tensor


def test_it_is_an_ordinary_tensor():
    x = random(5, 6)
    x[0] = 1
    x[1:3] *= 0
    assert x.numpy().sum() == x.sum().item() and x[0].tolist() == [1.0] * 6


@pytest.mark.parametrize("trip", [copy.copy, copy.deepcopy], ids=["copy", "deepcopy"])
def test_copies_are_spikes(trip):
    x = random(5, 6)
    assert type(trip(x)) is DenseSpikes and torch.equal(trip(x), x)
    assert (trip(x).data_ptr() == x.data_ptr()) == (trip is copy.copy)


def saved(x):
    file = io.BytesIO()
    torch.save(x, file)
    file.seek(0)
    return torch.load(file)


@pytest.mark.parametrize("trip", [saved, lambda x: pickle.loads(pickle.dumps(x))])
def test_files_hold_ordinary_tensors(trip):
    x = random(5, 6)
    arrived = trip(x)
    assert type(arrived) is torch.Tensor and torch.equal(arrived, x)
    assert trip(x.detach().requires_grad_()).requires_grad


def test_files_keep_what_shares_memory():
    x = random(5, 6)
    whole, row = saved([x, x[1]])
    whole[1] = 7
    assert torch.equal(row, torch.full((6,), 7.0))


def test_files_open_where_bitspike_is_not_installed(tmp_path):
    spikes, membrane = snn.Leaky(beta=0.9)(torch.tensor([[0.5, 1.5]]))
    torch.save([spikes, membrane], tmp_path / "record.pt")
    program = (
        "import sys; sys.modules['bitspike'] = None; import torch\n"
        f"print(torch.load({str(tmp_path / 'record.pt')!r})[0])"
    )
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert out.stdout.strip() == "tensor([[0., 1.]])", out.stderr


def test_old_files_that_hold_the_type_still_open():
    x = random(5, 6)
    func, args = x.plain().__reduce_ex__(2)
    old = torch._tensor._rebuild_from_type_v2(func, DenseSpikes, args, None)
    assert type(old) is DenseSpikes and torch.equal(old, x)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_workers_of_a_loader_send_spikes():
    loader = DataLoader([random(4) for _ in range(4)], batch_size=2, num_workers=1, collate_fn=list)
    assert all(type(x) is DenseSpikes for batch in loader for x in batch)


def test_parameters_are_copied_and_saved():
    module = nn.ParameterList([nn.Parameter(random(3, 4))])
    module[0].grad = torch.ones(3, 4)
    for other in (copy.deepcopy(module), AveragedModel(module).module):
        (parameter,) = other.parameters()
        assert isinstance(parameter, nn.Parameter) and parameter.is_leaf
        assert parameter.requires_grad and parameter is not module[0]
        assert torch.equal(parameter, module[0]) and torch.equal(parameter.grad, module[0].grad)
    loaded = saved(module.state_dict())["0"]
    assert torch.equal(loaded, module[0])
    again = pickle.loads(pickle.dumps(module))
    assert isinstance(again[0], nn.Parameter) and torch.equal(again[0], module[0])


def test_only_leaves_can_be_copied_deeply():
    with pytest.raises(RuntimeError, match="leaves"):
        copy.deepcopy(random(3).requires_grad_()[:2])


def test_a_number_is_formatted_as_one():
    spikes, _ = snn.Leaky(beta=0.9)(torch.tensor([[0.5, 1.5]]))
    assert f"{spikes[0, 1]:.1f} {spikes[0, 0]}" == "1.0 0.0"
    assert " ".join(f"{x:.0f}" for x in spikes[0]) == "0 1"
    assert "{:.2f}".format(spikes.select(1, 1).squeeze()) == "1.00"  # noqa: UP032
    assert f"{spikes}" == "tensor([[0., 1.]])"
    with pytest.raises(TypeError, match="unsupported format string"):
        f"{spikes:.1f}"


def test_neurons_and_encoders_return_it():
    x = snn.spikegen.rate(torch.rand(3, 4), num_steps=5)
    spikes, membrane = snn.Leaky(beta=0.9)(x[0])
    assert type(x) is type(x[0]) is type(spikes) is DenseSpikes
    assert type(membrane) is torch.Tensor
    graded, _ = snn.Leaky(beta=0.9, graded_spikes_factor=2.0)(x[0])
    assert type(graded) is torch.Tensor


def test_neurons_take_it_as_a_current():
    source = torch.rand(6, 3, 70, requires_grad=True)
    x = as_dense_spikes((source < 0.5).float() + (source - source.detach()))
    for neuron in (snn.Leaky(beta=0.9), snn.Leaky(beta=0.9, multi_step=True)):
        runs = [neuron(y, torch.zeros(y.shape[neuron.multi_step :])) for y in (x, x + 0)]
        for got, wanted in zip(*runs, strict=True):
            assert torch.equal(got + 0, wanted + 0)
        ours, theirs = (torch.autograd.grad(mem.sum(), source)[0] for _, mem in runs)
        assert torch.equal(ours, theirs)


def test_a_time_loop_trains_like_the_sequence():
    def network(**options):
        torch.manual_seed(1)
        net = nn.Sequential(
            nn.Linear(200, 64),
            snn.Leaky(beta=0.9, init_hidden=True, **options),
            nn.Linear(64, 10),
            snn.Leaky(beta=0.9, init_hidden=True, **options),
        )
        with torch.no_grad():
            for p in net.parameters():
                # Sums of multiples of 1/64 are exact in any order.
                p.copy_((p * 256).round() / 64)
        return net

    x = snn.spikegen.rate(torch.rand(64, 200), num_steps=12)
    loop, whole = network(), network(multi_step=True)
    steps = torch.stack([loop(step) for step in x])
    sequence = whole(SpikeTensor.from_dense(x))
    assert torch.equal(steps, sequence.dense())
    for out in (steps, sequence):
        nn.functional.cross_entropy(out.sum(0), torch.arange(64) % 10).backward()
    for p, q in zip(loop.parameters(), whole.parameters(), strict=True):
        torch.testing.assert_close(p.grad, q.grad, rtol=1e-5, atol=1e-6)
