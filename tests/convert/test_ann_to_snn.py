"""Networks whose rates are the activations of others."""

import copy
import io

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import bitspike as snn
from bitspike import convert
from helpers.rectifiers import CNN, Residual, accuracy, digits, mlp, settled, trained


def error(net, ann, x, steps):
    """The root mean square of what a number of steps changes, as a share of the outputs."""
    with torch.no_grad():
        expected = ann(x)
        return float((net(x, steps) - expected).square().mean().sqrt() / expected.std())


@pytest.mark.parametrize("kind", ["mlp", "cnn"])
def test_networks_that_read_digits_lose_nothing_that_counts(kind):
    ann, (images, _, unseen, _) = trained(kind), digits()
    net, _ = convert.ann_to_snn(ann, [images[:512]], num_steps=64)
    with torch.no_grad():
        assert accuracy(ann(unseen)) > 0.96
        assert accuracy(net(unseen)) >= accuracy(ann(unseen)) - 0.003


@pytest.mark.parametrize("kind", ["mlp", "cnn"])
def test_the_error_falls_as_one_over_the_number_of_steps(kind):
    ann, (images, _, unseen, _) = trained(kind), digits()
    net, _ = convert.ann_to_snn(ann, [images, unseen], normalise="max")
    errors = [error(net, ann, unseen, steps) for steps in (16, 32, 64, 128, 256)]
    ratios = [a / b for a, b in zip(errors[:-1], errors[1:], strict=True)]
    assert all(1.5 < ratio < 2.7 for ratio in ratios), ratios


PROGRAMS = {
    "modules": lambda: nn.Sequential(nn.Linear(6, 20), nn.ReLU(), nn.Linear(20, 4)),
    "ends with a rectifier": lambda: nn.Sequential(nn.Linear(6, 20), nn.ReLU()),
    "relu of six": lambda: nn.Sequential(nn.Linear(6, 20), nn.ReLU6(), nn.Linear(20, 4)),
    "in place": lambda: nn.Sequential(nn.Linear(6, 20), nn.ReLU(inplace=True), nn.Linear(20, 4)),
    "normalised": lambda: settled(
        nn.Sequential(nn.Linear(6, 20), nn.BatchNorm1d(20), nn.ReLU(), nn.Linear(20, 4)), (6,)
    ),
    "normalised behind": lambda: settled(
        nn.Sequential(nn.Linear(6, 20), nn.ReLU(), nn.BatchNorm1d(20), nn.Linear(20, 4)), (6,)
    ),
    "dropout": lambda: nn.Sequential(
        nn.Linear(6, 20), nn.ReLU(), nn.Dropout(), nn.Linear(20, 4)
    ).eval(),
    "nested": lambda: nn.Sequential(nn.Sequential(mlp(1, (6, 20, 9))), nn.ReLU(), mlp(2, (9, 4))),
    "rectified twice": lambda: nn.Sequential(
        nn.Linear(6, 20), nn.ReLU(), nn.ReLU(), nn.Linear(20, 4)
    ),
}
FUNCTIONS = {
    "F.relu": F.relu,
    "torch.relu": torch.relu,
    "method": lambda x: x.relu(),
    "method in place": lambda x: x.relu_(),
    "clamp": lambda x: x.clamp(min=0),
    "clamp_min": lambda x: torch.clamp_min(x, 0),
    "relu6": F.relu6,
}


class WithFunction(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function, self.first, self.last = function, nn.Linear(6, 20), nn.Linear(20, 4)

    def forward(self, x):
        return self.last(self.function(self.first((x - 0.5) / 0.25)))


PROGRAMS |= {name: lambda f=function: WithFunction(f) for name, function in FUNCTIONS.items()}


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
def test_rates_become_the_activations_of_any_program(program, per_channel):
    torch.manual_seed(0)
    ann, x = program(), torch.rand(40, 6)
    net, _ = convert.ann_to_snn(ann, [x], normalise="max", per_channel=per_channel)
    assert error(net, ann, x, 1000) < 0.01
    assert len(net.neurons()) == sum("IF" in type(x).__name__ for x in net.modules())


MAPS = {
    "cnn": lambda: settled(CNN(), (1, 8, 8)),
    "residual": lambda: settled(Residual(), (1, 8, 8)),
}


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("program", MAPS.values(), ids=MAPS)
def test_rates_of_maps_become_activations(program, per_channel):
    ann, x = program(), torch.rand(20, 1, 8, 8)
    net, report = convert.ann_to_snn(ann, [x], normalise="max", per_channel=per_channel)
    assert error(net, ann, x, 1000) < 0.02
    assert len(list(report)) == len(net.neurons())


@pytest.mark.parametrize("first", [True, False])
def test_a_max_pool_of_constant_currents_is_taken_once(first):
    conv, act, pool = nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2)
    both = (pool, act) if first else (act, pool)
    ann, x = nn.Sequential(conv, *both, nn.Flatten(), nn.Linear(36, 3)), torch.rand(20, 1, 8, 8)
    net, _ = convert.ann_to_snn(ann, [x], normalise="max")
    assert [type(layer).__name__ for layer in net.net[:3]] == ["Conv2d", "MaxPool2d", "RateIF"]
    assert error(net, ann, x, 1000) < 0.01
    snn.utils.reset(net)
    neurons = convert.RateIF(threshold=net.net[2].threshold.detach(), init_hidden=True)
    with torch.no_grad():
        currents = conv(x).expand(30, -1, -1, -1, -1)
        pooled = convert.RateMaxPool(pool).run_sequence(snn.unroll(neurons, currents))
        assert torch.equal(pooled.dense(), snn.unroll(net.net[:3], x.expand(30, *x.shape)).dense())


@pytest.mark.parametrize("first", [True, False])
def test_a_max_pool_behind_other_neurons_is_one_of_rates(first):
    act, pool = nn.ReLU(), nn.MaxPool2d(2)
    both = (pool, act) if first else (act, pool)
    front = nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 1)
    ann, x = nn.Sequential(*front, *both, nn.Flatten(), nn.Linear(36, 3)), torch.rand(20, 1, 8, 8)
    net, _ = convert.ann_to_snn(ann, [x], normalise="max")
    assert [type(layer).__name__ for layer in net.net[3:5]] == ["RateIF", "RateMaxPool"]
    assert error(net, ann, x, 2000) < 0.02


def test_an_average_in_the_place_of_maxima_is_there_if_it_is_asked_for():
    front = nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 1), nn.ReLU()
    last, x = (nn.Flatten(), nn.Linear(36, 3)), torch.rand(20, 1, 8, 8)
    ann = nn.Sequential(*front, nn.MaxPool2d(2), *last)
    net, _ = convert.ann_to_snn(ann, [x], normalise="max", max_pool="average")
    assert error(net, nn.Sequential(*front, nn.AvgPool2d(2), *last), x, 1000) < 0.02


@pytest.mark.parametrize(
    "pool", [nn.AvgPool2d(2), nn.AdaptiveAvgPool2d(3), nn.AvgPool2d(3, 1, 1)], ids=str
)
def test_average_pools_stay(pool):
    ann = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), pool, nn.Flatten(), nn.LazyLinear(3))
    x = torch.rand(20, 1, 8, 8)
    ann(x)
    net, _ = convert.ann_to_snn(ann, [x], normalise="max", per_channel=True)
    assert error(net, ann, x, 1000) < 0.01


def test_one_dimensional_and_grouped_convolutions():
    ann = nn.Sequential(
        *(nn.Conv1d(2, 8, 3), nn.ReLU(), nn.Conv1d(8, 8, 3, groups=4), nn.ReLU()),
        *(nn.MaxPool1d(2), nn.Flatten(), nn.Linear(32, 3)),
    )
    x = torch.randn(20, 2, 12)
    net, _ = convert.ann_to_snn(ann, [x], normalise="max", per_channel=True)
    assert error(net, ann, x, 2000) < 0.02


def test_spikes_are_bits_and_kernels_run():
    ann, x = trained("cnn"), digits()[2][:20]
    net, _ = convert.ann_to_snn(ann, [x], num_steps=8)
    kinds = []
    for module in net.net.modules():
        if isinstance(module, convert.RateIF | convert.RateMaxPool):
            module.register_forward_hook(lambda _, inputs, out: kinds.append(type(out)))
    with torch.no_grad():
        net(x)
    assert kinds == [snn.SpikeTensor] * 2
    assert all(neuron.native_refusal(torch.rand(1)) is None for neuron in net.neurons().values())


@pytest.mark.parametrize("kind", ["mlp", "cnn"])
def test_outputs_are_the_same_in_one_go_over_time_and_step_by_step(kind):
    x = digits()[2][:30]
    net, _ = convert.ann_to_snn(trained(kind), [x], num_steps=40)  # more than run at once
    with torch.no_grad():
        outputs = net.over_time(x)
        assert outputs.shape == (40, 30, 10)
        for steps in (1, 7, 40):
            assert torch.allclose(net(x, steps), outputs[steps - 1], atol=1e-4)
        snn.utils.reset(net)
        for step in range(40):
            sums = net.net(x)
            assert torch.allclose(sums / (step + 1), outputs[step], atol=1e-4)


def test_samples_do_not_depend_on_each_other():
    x = digits()[2][:30]
    net, _ = convert.ann_to_snn(trained("cnn"), [x], num_steps=8)
    with torch.no_grad():
        assert torch.allclose(net(x)[7:9], net(x[7:9]), atol=1e-5)


def test_the_model_remains_as_it_was():
    ann = CNN().train()
    before = copy.deepcopy(ann.state_dict())
    x = torch.rand(10, 1, 8, 8)
    net, _ = convert.ann_to_snn(ann, [x])
    assert ann.training and ann.drop.training and net.training
    assert all(torch.equal(x, before[name]) for name, x in ann.state_dict().items())
    net.net.conv1.weight.data.zero_()
    assert ann.conv1.weight.abs().sum() > 0


def test_loaders_may_yield_pairs_and_several_batches():
    ann, x = mlp(0), torch.rand(60, 12)
    one, _ = convert.ann_to_snn(ann, [x], normalise="max")
    pairs = torch.utils.data.DataLoader(
        torch.utils.data.TensorDataset(x, torch.zeros(60)), batch_size=25
    )
    several, _ = convert.ann_to_snn(ann, pairs, normalise="max")
    assert all(
        torch.equal(a.threshold, b.threshold)
        for a, b in zip(one.neurons().values(), several.neurons().values(), strict=True)
    )


def test_an_input_of_another_batch_size_than_the_loader_s_is_fine():
    ann = settled(CNN(), (1, 8, 8))
    net, _ = convert.ann_to_snn(ann, [torch.rand(5, 1, 8, 8)])
    assert net(torch.rand(3, 1, 8, 8)).shape == (3, 10)


def test_membranes_may_begin_at_zero_which_rounds_down():
    ann, x = mlp(0), torch.rand(60, 12)
    half, _ = convert.ann_to_snn(ann, [x], normalise="max")
    zero, _ = convert.ann_to_snn(ann, [x], normalise="max", init="zero")
    assert error(half, ann, x, 16) < 0.7 * error(zero, ann, x, 16)


def test_it_is_saved_copied_and_loaded_as_other_modules_are():
    ann, x = mlp(0), torch.rand(8, 12)
    net, _ = convert.ann_to_snn(ann, [x])
    other, _ = convert.ann_to_snn(mlp(1), [x])
    other.load_state_dict(net.state_dict())
    file = io.BytesIO()
    torch.save(net, file)
    file.seek(0)
    with torch.no_grad():
        for twin in (other, copy.deepcopy(net), torch.load(file, weights_only=False)):
            assert torch.equal(twin(x), net(x))


def test_it_is_a_network_for_files_and_for_energy(tmp_path):
    ann, x = mlp(0), torch.rand(3, 12)
    net, _ = convert.ann_to_snn(ann, [x], num_steps=20)
    snn.save_network(net.net, tmp_path / "net.safetensors", x)
    stream = snn.stream(snn.load_network(tmp_path / "net.safetensors"), batch=3)
    with torch.no_grad():
        for _ in range(20):
            sums = stream(x)
        assert torch.allclose(sums / 20, net(x), atol=1e-5)
    spent = snn.energy(net.net, x.expand(20, *x.shape))
    assert [row.by_spikes for row in spent] == [False, True, True]


def test_a_branching_network_is_a_program_for_graphs():
    ann, x = settled(Residual(), (1, 8, 8)), torch.rand(4, 1, 8, 8)
    net, _ = convert.ann_to_snn(ann, [x], num_steps=12)
    blocks = [layer for layer in net.net if isinstance(layer, convert.Block)]
    assert len(blocks) == 2
    assert "conv1" in str(snn.graph.capture(net.net, x))
    snn.utils.reset(net)
    with torch.no_grad():
        for _ in range(12):
            sums = net.net(x)
        assert torch.allclose(sums / 12, net(x), atol=1e-4)
