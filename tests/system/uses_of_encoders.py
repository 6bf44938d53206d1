"""Calls of encoders."""

import inspect

import torch
from outcome import Use

from bitspike import spikegen

# Multiples of an eighth, which all dtypes of floats hold, with some that integers hold as well.
SHARES = torch.tensor([[0.0, 0.125, 1.0, 0.5], [0.75, 1.0, 0.0, 0.25]])
RECORDING = torch.tensor([0.0, 0.5, 1.0, 0.25, 0.0, 1.0, 0.75]).view(7, 1, 1).repeat(1, 2, 3)
SPIKES = (RECORDING > 0.5).float()
CLASSES = torch.tensor([1, 0, 1])
KERNEL = torch.tensor([0.5, 0.25])
ONE_HOT = torch.tensor([[0.0, 1.0], [1.0, 0.0]])


def encoder(function, parameter, example, says="", random=False, **arguments):
    """Uses of an encoder, with bits and without where it makes both."""
    ways = [{}]
    if "packed" in inspect.signature(function).parameters and "packed" not in arguments:
        ways.append({"packed": True})
    for way in ways:
        options = {**arguments, **way}
        yield Use(
            function,
            parameter,
            example,
            lambda x, options=options: function(**{parameter: x}, **options),
            random=random,
            says=" ".join([says, *way]).strip(),
        )


def target_encoder(function, **arguments):
    return encoder(function, "targets", CLASSES, num_classes=2, **arguments)


SPREAD = {"num_steps": 5, "normalize": True, "linear": True}

ENCODERS = [
    *encoder(spikegen.rate, "data", SHARES, num_steps=4, random=True),
    *encoder(spikegen.rate, "data", SPIKES, "in time", time_var_input=True),
    *encoder(spikegen.rate_conv, "data", SHARES, random=True),
    *encoder(spikegen.latency, "data", SHARES, **SPREAD),
    *encoder(spikegen.latency, "data", SHARES, "logarithmic", num_steps=30, tau=2, packed=False),
    *encoder(spikegen.latency, "data", SHARES, "ramps", **SPREAD, interpolate=True, packed=False),
    *encoder(spikegen.latency_code, "data", SHARES, **SPREAD),
    *encoder(spikegen.latency_code_linear, "data", SHARES, tau=8),
    *encoder(spikegen.latency_code_log, "data", SHARES, tau=8, num_steps=9, normalize=True),
    *encoder(spikegen.delta, "data", RECORDING, threshold=0.25),
    *encoder(spikegen.delta, "data", RECORDING, "of both signs", off_spike=True, packed=False),
    *encoder(spikegen.constant, "data", SHARES, num_steps=3),
    *encoder(spikegen.population, "data", SHARES, num_neurons=4),
    *encoder(spikegen.phase, "data", SHARES, num_steps=4, period=3),
    *encoder(spikegen.burst, "data", SHARES, num_steps=13),
    *encoder(spikegen.rank_order, "data", SHARES),
    *encoder(spikegen.time_to_first_spike, "data", SHARES, num_steps=4, tau=2),
    *encoder(spikegen.step_forward, "data", RECORDING, threshold=0.25),
    *encoder(spikegen.step_forward, "threshold", torch.ones(3) / 4, data=RECORDING),
    *encoder(spikegen.moving_window, "data", RECORDING, window=2, threshold=0.25),
    *encoder(spikegen.moving_window, "threshold", torch.ones(3) / 4, data=RECORDING, window=2),
    *encoder(
        spikegen.step_forward_inverse,
        "spikes",
        torch.stack([SPIKES, 1 - SPIKES], 2),
        start=SHARES[:, 1:],
    ),
    *encoder(
        spikegen.step_forward_inverse,
        "start",
        SHARES[:, 1:],
        spikes=torch.stack([SPIKES, 1 - SPIKES], 2),
    ),
    *encoder(
        spikegen.step_forward_inverse,
        "threshold",
        torch.ones(3) / 4,
        spikes=torch.stack([SPIKES, 1 - SPIKES], 2),
        start=SHARES[:, 1:],
    ),
    *encoder(spikegen.bsa, "data", RECORDING, kernel=KERNEL, threshold=0.5),
    *encoder(spikegen.bsa, "kernel", KERNEL, data=RECORDING, threshold=0.5),
    *encoder(spikegen.bsa_inverse, "spikes", SPIKES, kernel=KERNEL),
    *encoder(spikegen.bsa_inverse, "kernel", KERNEL, spikes=SPIKES),
    *encoder(spikegen.pwm, "data", RECORDING, period=3),
    *encoder(spikegen.pwm_inverse, "spikes", SPIKES, period=3),
    *encoder(spikegen.dvs, "frames", RECORDING, threshold=0.5, refractory=1, substeps=2),
    *encoder(spikegen.dvs, "threshold", torch.full((2, 3), 0.5), frames=RECORDING),
    *encoder(spikegen.to_one_hot, "targets", CLASSES, num_classes=2),
    *encoder(spikegen.to_one_hot_inverse, "one_hot_targets", ONE_HOT),
    *encoder(spikegen.from_one_hot, "one_hot_label", ONE_HOT),
    *encoder(spikegen.latency_interpolate, "spike_time", torch.tensor([0.0, 4.0]), num_steps=5),
    *encoder(spikegen.rate_interpolate, "spike_time", torch.tensor([1, 4]), num_steps=7),
    *target_encoder(spikegen.targets_rate),
    *target_encoder(spikegen.targets_rate, says="in time", num_steps=5, correct_rate=0.4),
    *target_encoder(
        spikegen.targets_rate, says="ramps", num_steps=5, correct_rate=0.4, interpolate=True
    ),
    *target_encoder(
        spikegen.targets_rate,
        says="Poisson",
        num_steps=5,
        correct_rate=0.4,
        firing_pattern="poisson",
    ),
    *target_encoder(
        spikegen.targets_rate,
        says="uniform",
        num_steps=5,
        correct_rate=0.4,
        firing_pattern="uniform",
    ),
    *target_encoder(spikegen.targets_latency, num_steps=5, normalize=True),
    *target_encoder(spikegen.targets_convert, code="latency", num_steps=5, normalize=True),
    *target_encoder(spikegen.targets_convert, says="rate", num_steps=5, correct_rate=0.4),
]
