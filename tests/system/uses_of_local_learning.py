"""Calls of rules that learn without errors through all layers."""

import copy

import torch
from outcome import OF_A_MODEL, Use
from torch import nn

import bitspike as snn
from bitspike.learning import local

T, B, N = 4, 3, 6
SPIKES = (torch.arange(T * B * N) * 7 % 11 < 5).float().view(T, B, N)
SAMPLES = (torch.arange(B * N) * 5 % 7 / 8).view(B, N)
CLASSES = torch.tensor([1, 0, 1])


def network():
    neuron = {"beta": 0.5, "init_hidden": True, "multi_step": True}
    net = nn.Sequential(nn.Linear(N, 5), snn.Leaky(**neuron), nn.Linear(5, 2), snn.LI(**neuron))
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(torch.linspace(-1, 1.5, parameter.numel()).view_as(parameter))
    return net


def learned(rule, call):
    """The gradients that a call makes, on copies of the network."""
    model = copy.deepcopy(rule)
    result = call(model)
    if isinstance(result, torch.Tensor) and result.requires_grad:
        result.sum().backward()
    return [result, *(p.grad for p in model.parameters())]


def run(rule, *inputs):
    """What a copy of the network returns."""
    return copy.deepcopy(rule)(*inputs)


NET = network()
FEEDBACK = local.feedback(NET, "fa", SPIKES)
PROJECTION = local.feedback(NET, "drtp", SPIKES)
LAYERWISE = local.Layerwise(NET, SPIKES, 2)
FORWARD = local.ForwardForward(NET, SPIKES)
PEPITA = local.PEPITA(NET, SPIKES)

# The network was made outside: it has weights of one dtype, and is neither fake nor followed.
RUNS = ("fake", "func.grad", "of a graph", "leaf", "parameter")
DTYPES = ("bool", "int8", "uint8", "uint16", "int64", "float64", "bfloat16", "float16")
OF_RUNS = (*DTYPES, *RUNS)
MODEL = rf"{OF_A_MODEL}|inference|input"


def made(rule):
    """A rule made with a sample: it looks at shapes alone."""
    return [tuple(x.shape) for x in rule.state_dict().values()]


LOCAL_LEARNING = [
    Use(
        local.feedback,
        "x",
        SPIKES,
        lambda x: made(local.feedback(NET, "dfa", x)),
        MODEL,
        without=OF_RUNS,
    ),
    Use(
        local.Feedback.__init__,
        "x",
        SPIKES,
        lambda x: made(local.feedback(NET, "fa", x)),
        MODEL,
        without=OF_RUNS,
    ),
    Use(local.Feedback.forward, "x", SPIKES, lambda x: run(FEEDBACK, x), MODEL, without=OF_RUNS),
    Use(
        local.Feedback.forward,
        "target",
        CLASSES,
        lambda x: learned(PROJECTION, lambda model: model(SPIKES, x)),
        without=RUNS,
    ),
    Use(
        local.Layerwise.__init__,
        "x",
        SPIKES,
        lambda x: made(local.Layerwise(NET, x, 2)),
        MODEL,
        without=OF_RUNS,
    ),
    Use(local.Layerwise.forward, "x", SPIKES, lambda x: run(LAYERWISE, x), MODEL, without=OF_RUNS),
    Use(
        local.ForwardForward.__init__,
        "x",
        SPIKES,
        lambda x: made(local.ForwardForward(NET, x)),
        MODEL,
        without=OF_RUNS,
    ),
    Use(
        local.ForwardForward.forward, "x", SPIKES, lambda x: run(FORWARD, x), MODEL, without=OF_RUNS
    ),
    Use(
        local.ForwardForward.goodness,
        "x",
        SPIKES,
        lambda x: copy.deepcopy(FORWARD).goodness(x),
        MODEL,
        without=OF_RUNS,
    ),
    Use(
        local.ForwardForward.loss,
        "positive",
        SPIKES,
        lambda x: copy.deepcopy(FORWARD).loss(x, SPIKES),
        f"positive|{MODEL}",
        without=OF_RUNS,
    ),
    Use(
        local.ForwardForward.loss,
        "negative",
        SPIKES,
        lambda x: copy.deepcopy(FORWARD).loss(SPIKES, x),
        f"negative|{MODEL}",
        without=OF_RUNS,
    ),
    Use(
        local.ForwardForward.predict,
        "samples",
        SAMPLES,
        lambda x: copy.deepcopy(FORWARD).predict(x, 2, lambda x: x.expand(T, *x.shape)),
        f"samples|{MODEL}",
        without=OF_RUNS,
    ),
    Use(local.label_input, "samples", SAMPLES, lambda x: local.label_input(x, CLASSES, 2)),
    Use(local.label_input, "labels", CLASSES, lambda x: local.label_input(SAMPLES, x, 2)),
    Use(
        local.PEPITA.__init__,
        "x",
        SPIKES,
        lambda x: made(local.PEPITA(NET, x)),
        MODEL,
        without=OF_RUNS,
    ),
    Use(local.PEPITA.forward, "x", SPIKES, lambda x: run(PEPITA, x), MODEL, without=OF_RUNS),
    Use(
        local.PEPITA.learn,
        "x",
        SPIKES,
        lambda x: learned(PEPITA, lambda model: model.learn(x, CLASSES)),
        MODEL,
        without=OF_RUNS,
    ),
    Use(
        local.PEPITA.learn,
        "target",
        CLASSES,
        lambda x: learned(PEPITA, lambda model: model.learn(SPIKES, x)),
        without=RUNS,
    ),
]
