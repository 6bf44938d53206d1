"""What NIR cannot say, and what of NIR is not here: errors that name the place and a way out."""

import nir
import numpy as np
import pytest
import torch
from torch import nn

import bitspike as snn
from bitspike.nir import NIRError, check, from_nir, to_nir
from helpers.nir_files import chain, numbers, write

pytestmark = pytest.mark.skipif(
    "v_reset" not in nir.LIF.__dataclass_fields__, reason="networks here reset to a value"
)
HARD = {"init_hidden": True, "reset_mechanism": "zero"}


class Clamped(snn.Leaky):
    def step(self, current, mem):
        return super().step(current, mem)


def several_inhibited(**options):
    with pytest.warns(UserWarning, match="inhibition"):
        return snn.Leaky(0.9, inhibition=True, **options)


def refused(net, sample, match, **options):
    with pytest.raises(NIRError, match=match):
        to_nir(net, sample, dt=1e-3, **options)


FLAT, MAPS = torch.rand(2, 4), torch.rand(2, 2, 6, 6)

NEURONS = {
    "inhibition": (lambda: several_inhibited(**HARD), "inhibition=False"),
    "kwta": (lambda: snn.Leaky(0.9, inhibition=snn.KWTA(1), **HARD), "inhibition=False"),
    "refractory": (lambda: snn.RefractoryLeaky(0.9, 2, init_hidden=True), "refractory=0"),
    "ge": (lambda: snn.Leaky(0.9, fire_at="ge", **HARD), "nudge_threshold=True"),
    "state_quant": (lambda: snn.Leaky(0.9, state_quant=torch.round, **HARD), "state_quant=False"),
    "spike_range": (lambda: snn.Leaky(0.9, spike_range=(-1, 1), **HARD), r"export with \(0, 1\)"),
    "overridden": (lambda: Clamped(0.9, **HARD), "no node that computes Clamped"),
    "alpha": (lambda: snn.Alpha(0.9, 0.8, init_hidden=True), "there are nodes for Leaky, IF"),
    "slstm": (lambda: snn.SLSTM(4, 4, init_hidden=True), "no node that computes SLSTM"),
    "adex": (lambda: snn.AdEx(init_hidden=True), "save_network writes"),
    "clif": (lambda: snn.CLIF(0.9, init_hidden=True), "no node that computes CLIF"),
    "window": (lambda: snn.SlidingPSN(3, init_hidden=True), "no node that computes SlidingPSN"),
    "sgru": (lambda: snn.SGRU(4, 4, init_hidden=True), "no node that computes SGRU"),
    "subtract": (lambda: snn.Leaky(0.9, init_hidden=True), 'reset="graph" writes it exactly'),
    "erased": (lambda: snn.Synaptic(0.8, 0.9, **HARD), "reset_delay=False"),
    "erased layer": (lambda: snn.RLeaky(0.9, linear_features=4, **HARD), "reset_delay=False"),
    "graded layer": (
        lambda: snn.RLeaky(
            0.9, linear_features=4, graded_spikes_factor=2.0, reset_delay=False, **HARD
        ),
        "graded_spikes_factor=1",
    ),
    "no leak": (lambda: snn.Leaky(torch.tensor([1, 0.5, 0.5, 0.5]), **HARD), "use IF"),
    "no leak in both": (lambda: snn.Synaptic(0.5, 1.0, reset_delay=False, **HARD), "use IF"),
}


@pytest.mark.parametrize("name", NEURONS)
def test_neurons(name):
    make, way_out = NEURONS[name]
    refused(nn.Sequential(nn.Identity(), make()), FLAT, rf"^1: .*{way_out}")


def test_a_decay_of_zero_has_no_exact_time_constant():
    refused(snn.LI(0.0, init_hidden=True), FLAT, "euler", discretization="exact")


def test_a_truncated_kernel():
    net = snn.StateLeaky(0.9, 4, kernel_truncation_steps=3)
    refused(net, torch.rand(5, 2, 4), "kernel_truncation_steps=None")


LAYERS = {
    "max pool": (nn.MaxPool2d(2), MAPS, "no node that computes MaxPool2d"),
    "reflection": (nn.Conv2d(2, 3, 3, padding=1, padding_mode="reflect"), MAPS, "pads with zeros"),
    "uneven": (nn.Conv2d(2, 3, 2, padding="same"), MAPS, "odd kernels"),
    "ceil": (nn.AvgPool2d(4, ceil_mode=True), MAPS, "export without"),
    "divisor": (nn.AvgPool2d(2, divisor_override=3), MAPS, "no divisor"),
    "padding": (
        nn.AvgPool2d(2, padding=1, count_include_pad=False),
        MAPS,
        "count_include_pad=True",
    ),
    "dropout": (nn.Dropout(), FLAT, r"eval\(\)"),
    "norm": (nn.BatchNorm2d(2), MAPS, r"eval\(\)"),
    "norm alone": (nn.BatchNorm2d(2).eval(), MAPS, "feeds nothing else"),
    "batch": (nn.Flatten(0), FLAT, "start_dim=1"),
    "axes": (nn.Linear(6, 3), MAPS, "flatten them in front"),
    "delay": (snn.SynapticDelay(3, 1.5), FLAT, "round the delays"),
    "gaussian": (snn.SynapticDelay(3, 1.0, kernel="gaussian"), FLAT, "kernel='linear'"),
    "bilinear": (nn.Bilinear(2, 2, 2), None, "no node that computes Bilinear"),
}


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
def test_layers(name):
    layer, sample, way_out = LAYERS[name]
    if sample is None:
        refused(lambda x: layer(x, x), FLAT[:, :2], way_out)
    else:
        refused(nn.Sequential(layer), sample, rf"^0: .*{way_out}")


LI = snn.LI(0.9, init_hidden=True)
LIF = snn.Leaky(0.9, **HARD)
STATES = snn.Leaky(0.9, reset_mechanism="zero")
PROGRAMS = {
    "function": (lambda x: LI(torch.sigmoid(x)), "no node that computes sigmoid"),
    "product": (lambda x: LI(x * x), "products with a constant"),
    "itself": (lambda x: (y := LI(x)) + y, "multiply it by 2"),
    "twice": (lambda x: LIF(LIF(x)), "called more than once"),
    "membrane": (lambda x: LI(STATES(x)[1]), "only LI hands on its membrane"),
    "nothing": (lambda x: STATES(x)[1], "return spikes, or end in LI"),
    "constant": (lambda x: LI(x + FLAT), "sums"),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs(name):
    program, way_out = PROGRAMS[name]
    refused(program, torch.rand(2, 4), way_out)


def test_the_line_of_a_program_is_named():
    def program(x):
        return LI(torch.sigmoid(x))

    refused(program, torch.rand(2, 4), r"sigmoid \(test_nir_refusals.py:\d+, in program\)")


def test_what_an_object_overrides():
    neuron = snn.Leaky(0.9, **HARD)
    neuron.fire = lambda mem: mem
    refused(neuron, FLAT, "it overrides fire")


def test_what_only_other_readers_cannot():
    def program(x):
        y = LI(x)
        return y, LIF(y)

    assert sorted(to_nir(program, FLAT, dt=1).outputs) == ["output", "output_2"]
    refused(program, FLAT, "return one tensor", compat="nirtorch")


def test_old_nodes_need_an_old_package():
    refused(snn.Leaky(0.9, init_hidden=True), FLAT, "below 1.0.6", reset="nir104")


def test_words_and_numbers():
    for options in ({"reset": "soft"}, {"discretization": "zoh"}, {"compat": "norse"}):
        (name,) = options
        with pytest.raises(ValueError, match=name):
            to_nir(LIF, FLAT, dt=1, **options)
    for dt in (0, -1, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="dt"):
            to_nir(LIF, FLAT, dt=dt)
        with pytest.raises(ValueError, match="dt"):
            from_nir(to_nir(LIF, FLAT, dt=1), dt=dt)


# Reading


LIF_FIELDS = numbers(tau=2, r=2, v_leak=0, v_threshold=1, v_reset=0)
CUBA = LIF_FIELDS | numbers(tau_syn=2, tau_mem=2, w_in=2)
del CUBA["tau"]
CONV = {"weight": np.ones((1, 1, 3, 3)), "bias": np.zeros(1)}
CONV |= {"stride": [1, 1], "padding": [1, 1], "dilation": [1, 1], "groups": 1}
POOL = {"kernel_size": [2, 2], "stride": [2, 2], "padding": [0, 0]}

NODES = {
    "short": (("LIF", LIF_FIELDS | numbers(tau=0.5)), (1,), "pass a smaller dt"),
    "negative": (("LI", numbers(tau=-1, r=1, v_leak=0)), (1,), "must be positive"),
    "nan": (("LIF", LIF_FIELDS | numbers(tau=np.nan)), (1,), "not finite"),
    "perfect": (("LIF", LIF_FIELDS | numbers(tau=np.inf)), (1,), "without leak"),
    "missing": (("LIF", {"tau": np.ones(1)}), (1,), "has no field"),
    "text": (("LIF", LIF_FIELDS | {"r": "two"}), (1,), "r must be numbers"),
    "steps": (("IF", numbers(r=1, v_threshold=1, v_reset=0)), (1,), "pass dt=1"),
    "above": (("LIF", LIF_FIELDS | numbers(v_reset=2)), (1,), "v_reset is above"),
    "leak": (("CubaLIF", CUBA | numbers(v_leak=0.5)), (1,), "v_leak other than v_reset"),
    "unknown": (("Sigmoid", {}), (1,), "no counterpart of a node 'Sigmoid'"),
    "sizes": (("LIF", LIF_FIELDS | {"r": np.ones(2)}), (1,), "given"),
    "shapes": (
        ("LIF", LIF_FIELDS | {"r": np.ones(2), "tau": np.ones(3)}),
        (2,),
        "different shapes",
    ),
    "linear": (("Linear", {"weight": np.ones((2, 3))}), (2,), r"weights \[m, n\] take \[n\]"),
    "bias": (("Affine", {"weight": np.ones((2, 3)), "bias": np.ones(3)}), (3,), "bias has shape"),
    "no weight": (("Linear", {}), (2,), "needs weight"),
    "conv": (("Conv2d", CONV), (2, 5, 5), "do not fit"),
    "groups": (("Conv2d", CONV | {"groups": 0}), (1, 5, 5), "do not fit"),
    "stride": (("Conv2d", CONV | {"stride": [0, 1]}), (1, 5, 5), "does not fit 5"),
    "dilation": (("Conv2d", CONV | {"dilation": [0, 1]}), (1, 5, 5), "dilation must be positive"),
    "kernel": (("Conv2d", CONV | {"padding": [0, 0]}), (1, 2, 2), "a window of 3"),
    "padding": (("Conv2d", CONV | {"padding": "wide"}), (1, 5, 5), "padding 'wide'"),
    "fractions": (("Conv2d", CONV | {"stride": [0.5, 1.0]}), (1, 5, 5), "whole numbers"),
    "pool": (("AvgPool2d", POOL), (4,), r"takes \[C, H, W\]"),
    "wide pool": (("SumPool2d", POOL | {"padding": [2, 2]}), (1, 4, 4), "half of the kernel"),
    "flatten": (("Flatten", {"start_dim": 0, "end_dim": 2}), (2, 2), "axes 0 to 2"),
    "backwards": (("Flatten", {"start_dim": 1, "end_dim": 0}), (2, 2), "flattens axes 1 to 0"),
    "scale": (("Scale", {"scale": np.ones(3)}), (2,), r"takes \[3\] and is given \[2\]"),
    "past": (("Delay", {"delay": np.array([-1.0])}), (1,), "0 to 65536 steps"),
}


@pytest.mark.parametrize("name", NODES)
def test_nodes(name, tmp_path):
    node, shape, way_out = NODES[name]
    chain(tmp_path / "net.nir", ("Scale", {"scale": np.ones(shape)}), node, shape=shape)
    with pytest.raises(NIRError, match=f"n1: .*{way_out}"):
        from_nir(tmp_path / "net.nir", dt=2 if name == "steps" else 1)
    report = check(tmp_path / "net.nir", dt=2 if name == "steps" else 1)
    assert [line.node for line in report.refused] == ["n1"]


ENDS = {"input": ("Input", {"shape": [1]}), "output": ("Output", {"shape": [1]})}
DOUBLE, NEURON = ("Scale", {"scale": [2.0]}), ("LIF", LIF_FIELDS)
THROUGH = [("input", "a"), ("a", "output")]
INNER = {"i": ENDS["input"], "j": ENDS["input"], "o": ENDS["output"]}
GRAPHS = {
    "no state": ({"a": DOUBLE, "b": DOUBLE}, [*THROUGH, ("a", "b"), ("b", "a")], "add a Delay"),
    "unfed": ({"a": DOUBLE, "b": NEURON}, [*THROUGH, ("b", "output")], "b: nothing feeds it"),
    "twice": ({"a": DOUBLE}, [*THROUGH, THROUGH[0]], "twice"),
    "nowhere": ({"a": DOUBLE}, [*THROUGH, ("a", "c")], "'c', which is no node"),
    "input": ({"a": NEURON}, [*THROUGH, ("a", "input")], "input: an Input is fed"),
    "output": ({"a": NEURON}, [*THROUGH, ("output", "a")], "output: an Output feeds"),
    "ports": (
        {"a": (INNER, [("i", "o"), ("j", "o")])},
        THROUGH,
        "a: a graph inside a graph needs one Input, not 2",
    ),
    "sum": (
        {"a": DOUBLE, "b": ("Linear", {"weight": np.ones((2, 1))})},
        [*THROUGH, ("input", "b"), ("b", "output")],
        "output: it is given different shapes",
    ),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_graphs(name, tmp_path):
    nodes, edges, fault = GRAPHS[name]
    write(tmp_path / "net.nir", ENDS | nodes, edges)
    with pytest.raises(NIRError, match=fault):
        from_nir(tmp_path / "net.nir", dt=1)


def test_all_that_is_wrong_is_told_at_once(tmp_path):
    bad = ("LIF", LIF_FIELDS | numbers(tau=0.5))
    chain(tmp_path / "net.nir", bad, bad)
    with pytest.raises(NIRError, match=r"n0: tau(?s:.*)n1: tau"):
        from_nir(tmp_path / "net.nir", dt=1)


def test_what_is_no_graph():
    with pytest.raises(NIRError, match="a nir.NIRGraph or the path of a file"):
        from_nir(3, dt=1)
    with pytest.raises(FileNotFoundError):
        from_nir("nowhere.nir", dt=1)
    lif = nir.LI(tau=np.ones(2), r=np.ones(2), v_leak=np.ones(2))
    with pytest.raises(NIRError, match="a nir.NIRGraph"):
        from_nir(lif, dt=1)


def test_without_the_package(monkeypatch):
    from bitspike.exchange.nir import package

    def missing(name):
        raise ImportError(name)

    package.package.cache_clear()
    monkeypatch.setattr(package, "import_module", missing)
    with pytest.raises(ImportError, match=r"pip install 'bitspike\[nir\]'"):
        to_nir(LIF, FLAT, dt=1)
    package.package.cache_clear()
