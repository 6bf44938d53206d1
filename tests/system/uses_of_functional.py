"""Calls of losses, accuracies, regularisers, decoders, quantised states and plasticity."""

import copy

import torch
from outcome import Use
from torch import nn

from bitspike import decode
from bitspike import functional as SF
from bitspike.functional import quant, stdp_learner

T, B, C = 6, 3, 4
SPIKES = (torch.arange(T * B * C) * 7 % 11 < 4).float().view(T, B, C)
LABELS = torch.tensor([1, 0, 1])
TIMES = torch.tensor([[0.0, 1.0, 3.0, 2.0]]).repeat(B, 1)
WEIGHT = torch.tensor([1.0, 0.5, 2.0, 1.0])
LENGTHS = torch.tensor([3, T, 2])
MEMBRANES = SPIKES / 2 + 0.25


def loss(kind, spikes=SPIKES, targets=LABELS, named="spk_out", weighted=True, says="", **options):
    """Uses of a loss: of its recording, its targets and its weights."""
    method = kind.forward if issubclass(kind, nn.Module) else kind.__call__
    call = kind(**options)
    yield Use(method, "spk_out", spikes, lambda x: call(x, targets), named, says=says)
    yield Use(method, "targets", targets, lambda x: call(spikes, x), says=says)
    yield Use(method, "lengths", LENGTHS, lambda x: call(spikes, targets, lengths=x), says=says)
    if weighted:
        yield Use(
            kind.__init__,
            "weight",
            WEIGHT,
            lambda x: kind(**options, weight=x)(spikes, targets),
            says=says,
        )


def wanted_times(kind):
    """Uses of a loss of times: of those that it wants of two spikes."""
    for name, other in (("on_target", "off_target"), ("off_target", "on_target")):
        options = {other: [3.0, 4.0], "multi_spike": True}
        yield Use(
            kind.__init__,
            name,
            torch.tensor([0.0, 2.0]),
            lambda x, name=name, options=options: kind(**{name: x}, **options)(SPIKES, LABELS),
        )


def regulariser(kind, **options):
    yield Use(kind.__call__, "spk_out", SPIKES, lambda x: kind(**options)(x))


def accuracy(function):
    yield Use(function, "spk_out", SPIKES, lambda x: function(x, LABELS))
    yield Use(function, "targets", LABELS, lambda x: function(SPIKES, x))
    yield Use(function, "lengths", LENGTHS, lambda x: function(SPIKES, LABELS, lengths=x))


def decoder(function, says="", **options):
    yield Use(function, "spikes", SPIKES, lambda x: function(x, **options), says=says)
    yield Use(
        function, "lengths", LENGTHS, lambda x: function(SPIKES, **options, lengths=x), says=says
    )


def updated(step):
    """What a decision is after two steps."""
    decision = decode.EarlyExit(margin=1)
    decision.update(SPIKES[0])
    decision.update(step)
    return decision.decided, decision.prediction, decision.step


def rule(function, synapse, in_spike, out_spike, *, tau_trace=(), of_step=()):
    """Uses of a rule of plasticity."""
    arguments = (2.0, 3.0, *tau_trace)

    def step(in_spike=in_spike, out_spike=out_spike, pre=None, post=None):
        with torch.no_grad():
            return function(synapse, in_spike, out_spike, pre, post, *arguments)

    for name, example in (("in_spike", in_spike), ("out_spike", out_spike)):
        yield Use(
            function, name, example, lambda x, name=name: step(**{name: x}), "in_spike|out_spike"
        )
    pre, post, _ = step()
    yield Use(function, "trace_pre", pre, lambda x: step(pre=x))
    yield Use(function, "trace_post", post, lambda x: step(post=x))


def learned(reward):
    """What a learner makes of a reward."""
    synapse, neuron = copy.deepcopy(SYNAPSE), nn.Identity()
    learner = stdp_learner.STDPLearner(synapse, neuron, 2.0, 2.0, tau_trace=5.0)
    with torch.no_grad():
        for step in SPIKES:
            synapse(step)
            neuron(step[:, :2])
    return learner.step(on_grad=False, reward=reward)


def _with_weights(synapse):
    with torch.no_grad():
        synapse.weight.copy_(torch.linspace(-1, 1, synapse.weight.numel()).view_as(synapse.weight))
    return synapse


def _linear():
    return _with_weights(nn.Linear(C, 2))


SYNAPSE = _linear()
EITHER = "predicted|targets"
ROW = SPIKES[0]
LINE = SPIKES[:, :1]
PLANE = SPIKES.view(1, 1, 6, 12)

FUNCTIONAL = [
    *loss(SF.ce_rate_loss),
    *loss(SF.ce_count_loss),
    *loss(
        SF.ce_count_loss, weighted=False, says="of populations", population_code=True, num_classes=2
    ),
    *loss(SF.mse_count_loss, correct_rate=0.8, incorrect_rate=0.2),
    *loss(SF.mse_rate_loss, correct_rate=0.8, normalize=True),
    *loss(SF.ce_max_membrane_loss, spikes=MEMBRANES, named="mem_out"),
    *loss(SF.mse_membrane_loss, spikes=MEMBRANES, named="mem_out"),
    *loss(
        SF.mse_membrane_loss,
        spikes=MEMBRANES,
        targets=SPIKES,
        named="mem_out",
        weighted=False,
        says="in time",
        time_var_targets=True,
    ),
    *loss(SF.spike_max_loss),
    *loss(SF.spike_max_loss, weighted=False, says="in windows", window=2, mode="softmax"),
    *loss(SF.SpikeTime, weighted=False),
    *loss(SF.SpikeTime, weighted=False, targets=TIMES, says="times", target_is_time=True),
    *loss(SF.mse_temporal_loss, on_target=1, off_target=-1),
    *loss(SF.mse_temporal_loss, weighted=False, targets=TIMES, says="times", target_is_time=True),
    *loss(SF.ce_temporal_loss),
    *loss(SF.ce_temporal_loss, weighted=False, says="reciprocal", inverse="reciprocal"),
    *loss(SF.mse_relative_temporal_loss, margin=1),
    *loss(SF.tet_loss, lam=0.5),
    *loss(SF.van_rossum_loss, targets=1 - SPIKES, weighted=False, tau=3.0),
    *wanted_times(SF.SpikeTime),
    *wanted_times(SF.mse_temporal_loss),
    *accuracy(SF.accuracy_rate),
    *accuracy(SF.accuracy_temporal),
    Use(SF.confusion, "predicted", LABELS, lambda x: SF.confusion(x, LABELS, 2), EITHER),
    Use(SF.confusion, "targets", LABELS, lambda x: SF.confusion(LABELS, x, 2)),
    Use(SF.victor_purpura, "spk_out", SPIKES, lambda x: SF.victor_purpura(x, 1 - SPIKES, 0.5)),
    Use(SF.victor_purpura, "targets", SPIKES, lambda x: SF.victor_purpura(1 - SPIKES, x, 0.5)),
    Use(
        SF.victor_purpura,
        "lengths",
        LENGTHS,
        lambda x: SF.victor_purpura(SPIKES, 1 - SPIKES, 0.5, lengths=x),
    ),
    *regulariser(SF.l1_rate_sparsity, Lambda=0.5),
    *regulariser(SF.l2_rate, lam=0.5),
    *regulariser(SF.kl_rate, target=0.25, lam=1.0),
    *regulariser(SF.lower_neuron, theta=3, lam=0.5),
    *regulariser(SF.upper_neuron, theta=1, lam=0.5),
    *regulariser(SF.lower_population, theta=20, lam=0.5),
    *regulariser(SF.upper_population, theta=2, lam=0.5),
    *decoder(decode.rate),
    *decoder(decode.rate, says="earliest", ties="earliest"),
    *decoder(decode.latency),
    *decoder(decode.latency, says="never", silent="never"),
    *decoder(decode.population, num_classes=2),
    *decoder(decode.population, says="latency", num_classes=2, code="latency"),
    *decoder(decode.early_exit),
    *decoder(decode.early_exit, says="margin", margin=1),
    Use(decode.EarlyExit.update, "spikes", SPIKES[1], updated),
    Use(
        quant.state_quant,
        "x",
        MEMBRANES,
        lambda x: quant.state_quant(num_bits=3, lower_limit=0.5)(x),
    ),
    Use(
        quant.state_quant,
        "x",
        MEMBRANES,
        lambda x: quant.state_quant(num_bits=3, uniform=False)(x),
        says="dense around the threshold",
    ),
    *rule(stdp_learner.stdp_linear_single_step, _linear(), ROW, ROW[:, :2]),
    *rule(stdp_learner.mstdp_linear_single_step, _linear(), ROW, ROW[:, :2]),
    *rule(stdp_learner.mstdpet_linear_single_step, _linear(), ROW[0], ROW[0, :2], tau_trace=(5.0,)),
    *rule(
        stdp_learner.stdp_conv1d_single_step,
        _with_weights(nn.Conv1d(1, 2, 3, padding=1)),
        LINE,
        LINE.repeat(1, 2, 1),
    ),
    *rule(
        stdp_learner.stdp_conv2d_single_step,
        _with_weights(nn.Conv2d(1, 2, 3, padding=1)),
        PLANE,
        PLANE.repeat(1, 2, 1, 1),
    ),
    Use(stdp_learner.STDPLearner.step, "reward", SPIKES[:, :, 0], learned),
]
