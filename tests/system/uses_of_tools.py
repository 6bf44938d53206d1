"""Calls of surrogates, pictures, and what looks at networks or trains them."""

import copy
import functools
import tempfile

import numpy as np
import torch
from matplotlib.figure import Figure
from outcome import OF_A_MODEL, Use
from torch import nn

import bitspike as snn
from bitspike import backprop, spikeplot, surrogate, tasks
from bitspike import functional as SF
from bitspike.learning import online

T, B, N = 6, 3, 4
SPIKES = (torch.arange(T * B * N) * 7 % 11 < 4).float().view(T, B, N)
CLASSES = torch.tensor([1, 0, 1])
TARGET = torch.tensor([[0.0, 1.0], [1.0, 0.0], [0.5, 0.25]])
RULE, EVENTS, TARGETS = online.RTRL(), online.ETLP(), online.OSTTP()
REWARDS = online.Rule(signal="reward")
POTENTIALS = torch.tensor([-1.0, -0.25, 0.0, 0.25, 1.0])


def network(**options):
    net = nn.Sequential(nn.Linear(N, 2), snn.Leaky(beta=0.5, init_hidden=True, **options))
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(torch.linspace(-1, 1, parameter.numel()).view_as(parameter))
    return net


def diagnosed(x):
    layers = snn.diagnose(NETWORK, x)
    return [(row.firing_rate, row.gradient_norm, row.step_gradients) for row in layers]


def spent(x):
    report = snn.energy(NETWORK, x)
    return report.synops, report.joules


def streamed(x):
    return snn.stream(NETWORK, x, batch=B)(SPIKES[0])


def exported(x):
    program = snn.export_step(STEP, x)
    return program.module()(*program.example_inputs[0])


def saved(x):
    with tempfile.NamedTemporaryFile() as file:
        snn.save_network(NETWORK, file.name, x)
        return snn.stream(snn.load_network(file.name), batch=B)(SPIKES[0])


def through_nir(x, export=snn.nir.to_nir):
    graph = export(NETWORK, x, dt=1e-3, reset="graph")
    return snn.nir.from_nir(graph, dt=1e-3)(SPIKES)


def recorded(x):
    with tempfile.NamedTemporaryFile() as file:
        snn.nir.save_data(file.name, {"a": x}, 1e-3)
        return snn.nir.load_data(file.name)["a"]


def rescued(x):
    net = copy.deepcopy(SILENT)
    return snn.rescue(net, x), net[0].weight


def rescaled(x):
    net = copy.deepcopy(TRAINED)
    return list(snn.init.threshold_aware_(net, x, 0.3).values()), net[0].weight


def drawn(x):
    """The draw is written into the tensor that is given."""
    generator = torch.Generator().manual_seed(1)
    return snn.init.fluctuation_driven_(x, 0.1, 0.9, generator=generator)


def trained(train, data, targets):
    """The weights after one update."""
    net = copy.deepcopy(TRAINED)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.5)
    train(net, [(data, targets)], optimizer, SF.ce_count_loss())
    return net[0].weight


def training(train):
    for name, example, call in (
        ("data", SPIKES, lambda x: trained(train, x, CLASSES)),
        ("targets", CLASSES, lambda x: trained(train, SPIKES, x)),
    ):
        # Chunks share the graph of their data, and their network has real weights.
        without = ("of a graph", *RUNS, *(DTYPES if name == "data" else ()))
        yield Use(train, "dataloader", example, call, name, says=name, without=without)


def learned(take, rule=RULE):
    """The gradient of the weight, after what a learner of a rule was made to do with a tensor."""

    def call(x):
        net = copy.deepcopy(NETWORK)
        result = take(online.Learner(net, rule), x)
        if result is not None and result.requires_grad:
            result.sum().backward()
        return net[0].weight.grad

    return call


def learners():
    """Uses of all methods of a learner that take tensors."""
    methods = online.Learner
    without = (*DTYPES, *RUNS, "of a graph")
    for of in (methods.__call__, methods.step, methods.block):
        x = SPIKES if of is methods.block else SPIKES[0]
        yield Use(of, "x", x, learned(of), OF_A_MODEL, without=without)
        with_target = functools.partial(learned, rule=TARGETS)
        call = with_target(lambda learner, y, of=of, x=x: of(learner, x, y))
        yield Use(of, "target", TARGET, call, "target", without=without)
    for of, rule, example, name in (
        (methods.learn, RULE, TARGET, "error"),
        (methods.event, EVENTS, TARGET, "target"),
        (methods.reward, REWARDS, torch.tensor([1.0, -1.0, 0.5]), "reward"),
    ):
        call = learned(lambda learner, y, of=of: (learner.step(SPIKES[0]), of(learner, y))[1], rule)
        # The step before is taken inside the transform.
        yield Use(of, name, example, call, name, without=(*without, "vmap"))


def offsets(marks):
    return marks.get_offsets().data


def heights(lines):
    return [np.asarray(line.get_ydata()) for line in lines]


def raster(x):
    return offsets(spikeplot.raster(x, Figure().subplots()))


def membrane(data=POTENTIALS, threshold=1.0, spk=None):
    line, level, *dots = spikeplot.membrane(data, Figure().subplots(), threshold, spk)
    return *heights([line, level]), *map(offsets, dots)


def traces(data=SPIKES[:, 0], spk=None):
    from matplotlib import pyplot

    pyplot.figure()
    try:
        return heights(spikeplot.traces(data, spk, (2, 2)))
    finally:
        pyplot.close()


def spike_count(x):
    figure = Figure()
    bars = spikeplot.spike_count(x, figure, figure.subplots(), list("abcd"))
    return [bar.get_width() for bar in bars]


def rates(x):
    return spikeplot.rates(x, Figure().subplots(), window=2).get_array().data


def animator(x):
    figure = Figure()
    animation = spikeplot.animator(x, figure, figure.subplots())
    animation._draw_was_started = True  # It would warn that nobody saw it.
    return figure.axes[0].images[0].get_array().data


STEP = network()
NETWORK = network()
TRAINED = network(output=True)
SILENT = network(threshold=99.0)
READ = snn.nir.from_nir(snn.nir.to_nir(NETWORK, SPIKES[1], dt=1e-3, reset="graph"), dt=1e-3)

# A network that was made outside is neither fake nor seen by torch.func.
RUNS = ("fake", "func.grad")
# A linear layer in front of all takes no other dtypes.
DTYPES = ("bool", "int8", "uint8", "uint16", "int64", "float64", "bfloat16", "float16")

# What a sample that runs through a network says is what its layers say.
OF_A_LAYER = "sample|input is|linear"

TOOLS = [
    *(
        Use(kind.__call__, "x", POTENTIALS, kind(), says=kind.__name__)
        for kind in (*surrogate.ALL, surrogate.StochasticSpikeOperator)
    ),
    Use(
        surrogate.CustomSurrogate.__call__,
        "x",
        POTENTIALS,
        surrogate.CustomSurrogate(lambda x, grad, spikes: grad / 2),
        says="custom",
    ),
    Use(
        surrogate.Scheduled.__call__,
        "x",
        POTENTIALS,
        surrogate.Scheduled(surrogate.ATan(), alpha=surrogate.schedule.Linear(1.0, 2.0, steps=3)),
    ),
    Use(surrogate.Learnable.forward, "x", POTENTIALS, surrogate.Learnable(surrogate.ATan())),
    Use(snn.diagnose, "x", SPIKES, diagnosed, OF_A_MODEL, without=(*DTYPES, "func.grad")),
    # What is the same at all steps costs nothing but the first time.
    Use(snn.energy, "x", SPIKES, spent, OF_A_MODEL, without=(*DTYPES, "func.grad", "expanded")),
    Use(snn.rescue, "x", SPIKES, rescued, OF_A_MODEL, without=(*DTYPES, *RUNS)),
    Use(snn.init.threshold_aware_, "x", SPIKES, rescaled, OF_A_MODEL, without=(*DTYPES, *RUNS)),
    Use(snn.init.fluctuation_driven_, "weight", SPIKES[0], drawn, random=True),
    Use(snn.stream, "sample", SPIKES[1], streamed, OF_A_LAYER, without=(*DTYPES, "func.grad")),
    Use(snn.export_step, "sample", SPIKES[1], exported, OF_A_LAYER, without=(*DTYPES, "func.grad")),
    Use(snn.save_network, "sample", SPIKES[1], saved, OF_A_LAYER, without=(*DTYPES, "func.grad")),
    Use(
        snn.nir.to_nir,
        "sample",
        SPIKES[1],
        through_nir,
        OF_A_LAYER,
        without=(*DTYPES, "func.grad"),
    ),
    Use(
        snn.export_nir.export_to_nir,
        "sample_data",
        SPIKES[1],
        lambda x: through_nir(x, snn.export_nir.export_to_nir),
        OF_A_LAYER,
        without=(*DTYPES, "func.grad"),
    ),
    Use(snn.nir.Network.forward, "x", SPIKES, lambda x: READ(x), OF_A_MODEL, without=DTYPES),
    Use(snn.nir.save_data, "data", SPIKES, recorded),
    *training(backprop.TBPTT),
    *training(backprop.BPTT),
    *training(backprop.RTRL),
    *learners(),
    Use(spikeplot.raster, "data", SPIKES[:, 0], raster),
    Use(spikeplot.rates, "data", SPIKES[:, 0], rates),
    Use(spikeplot.spike_count, "data", SPIKES[:, 0], spike_count),
    Use(spikeplot.animator, "data", SPIKES, animator),
    Use(spikeplot.membrane, "data", POTENTIALS, membrane),
    Use(spikeplot.membrane, "threshold", torch.tensor(1.0), lambda x: membrane(threshold=x)),
    Use(spikeplot.membrane, "spk", (POTENTIALS > 0).float(), lambda x: membrane(spk=x)),
    Use(spikeplot.traces, "data", SPIKES[:, 0], traces),
    Use(spikeplot.traces, "spk", SPIKES[:, 0], lambda x: traces(spk=x)),
    Use(
        tasks.time_first,
        "samples",
        SPIKES,
        lambda x: tasks.time_first([(x, CLASSES[0]), (x, CLASSES[1])])[0],
        # It stacks whatever torch stacks.
        without=("complex", "conjugated", "quantised", "mkldnn", "nested"),
    ),
]
