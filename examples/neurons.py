"""Draws how the adaptive and the biophysical neurons fire.

    python examples/neurons.py --out docs/images

Each figure is a few calls of whole sequences; no function touches matplotlib's global style.
"""

import argparse
from pathlib import Path

import torch
from matplotlib.figure import Figure, SubFigure
from torch import Tensor

import bitspike as snn
from drawing import BLUE, GREEN, GREY, ORANGE, figure, save, tidy


def main() -> None:
    """Draws all figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("demo"), help="folder of the figures")
    parser.add_argument("--short", action="store_true", help="a tenth of the time, to try it")
    arguments = parser.parse_args()
    share = 0.1 if arguments.short else 1.0
    for draw in (izhikevich, adex, hodgkin_huxley, adaptive):
        path = arguments.out / f"{draw.__name__}.png"
        save(draw(share), path)


def izhikevich(share: float) -> Figure:
    """Every preset of Izhikevich (2003), and two answers that make it known."""
    dt, duration = 0.1, 300 * share
    step = _steps(duration, dt, (30, 10.0))
    rebound = _steps(duration, dt, (30, -10.0), (180, 0.0))
    pulses = sum(
        _steps(duration, dt, (start, 1.1), (start + 2, 0.0))
        for start in (20, 50, 80, 180, 221, 262)
    )
    panels = [
        ("RS", "regular spiking", step),
        ("IB", "intrinsically bursting", step),
        ("CH", "chattering", step),
        ("FS", "fast spiking", step),
        ("LTS", "low-threshold spiking", step),
        ("TC", "thalamo-cortical", _steps(duration, dt, (30, 3.0))),
        ("TC", "thalamo-cortical, rebound", rebound),
        ("RZ", "resonator: 41 ms, not 30 ms", pulses),
    ]
    page = figure(13, 5.8)
    for cell, (name, title, current) in zip(_grid(page, 2, 4), panels, strict=True):
        neuron = snn.Izhikevich.preset(name, dt=dt, multi_step=True)
        spikes, _, v = neuron(current)
        _answer(cell, f"{name}: {title}", dt, v, spikes, (-82, 30), current, "I")
    return page


def adex(share: float) -> Figure:
    """The firing patterns of Naud et al. (2008)."""
    dt, duration = 0.05, 500 * share
    panels = {
        "tonic": 500.0,
        "adapting": 500.0,
        "initial_burst": 400.0,
        "bursting": 210.0,
        "delayed_accelerating": 300.0,
        "delayed_bursting": 110.0,
        "transient": 180.0,
        "irregular": 160.0,
    }
    page = figure(13, 5.8)
    for cell, (name, size) in zip(_grid(page, 2, 4), panels.items(), strict=True):
        current = _steps(duration, dt, (30, size))
        spikes, _, v = snn.AdEx.preset(name, dt=dt, multi_step=True)(current)
        _answer(cell, name.replace("_", " "), dt, v, spikes, (-75, 0), current, "pA")
    return page


def hodgkin_huxley(share: float) -> Figure:
    """A spike, the gates behind it, a train, and the rate of firing."""
    dt = 0.01
    page = figure(11, 6.2)
    axes = page.subplots(2, 2, height_ratios=(1.25, 1), width_ratios=(1, 1.15))
    (spike, rate), (gates, train) = axes

    current = _steps(25, dt, (2, 20.0), (3, 0.0))
    _, *states = snn.HodgkinHuxley(dt=dt, multi_step=True)(current)
    time = torch.arange(len(current)) * dt
    m, h, n, v = (state.squeeze(1) for state in states)
    spike.axhline(-65, color=GREY, linestyle="--", linewidth=1)
    spike.plot(time, v, color=BLUE, linewidth=1.8)
    spike.axvspan(2, 3, color=ORANGE, alpha=0.25, linewidth=0)
    spike.annotate("20 µA/cm² for 1 ms", (6, 30), color=ORANGE, fontsize=9)
    spike.annotate("rest", (24.9, -63), color=GREY, fontsize=9, ha="right")
    tidy(spike, "a spike", "mV")
    for gate, name, color in ((m, "m", BLUE), (h, "h", ORANGE), (n, "n", GREEN)):
        gates.plot(time, gate, color=color, linewidth=1.6, label=name)
    gates.legend(frameon=False, loc="upper right", ncols=3)
    tidy(gates, "its gates", "open share")
    for ax in (spike, gates):
        ax.set_xlim(0, 25)
        ax.set_xlabel("ms")

    currents = torch.arange(0.0, 40.25, 0.25)
    spikes, *_ = snn.HodgkinHuxley(dt=dt, multi_step=True)(
        currents.expand(round(1000 * share / dt), -1)
    )
    rates = [_rate(train, dt) for train in spikes.dense().unbind(1)]
    rate.plot(currents, rates, color=BLUE, linewidth=0, marker="o", markersize=3)
    rate.set_ylim(bottom=0)
    rate.set_xlabel("current, µA/cm²")
    rate.grid(axis="y", alpha=0.25)
    tidy(rate, "rate of firing: it begins at 50 Hz", "Hz")

    duration = 120 * share
    current = _steps(duration, dt, (10, 10.0))
    *_, v = snn.HodgkinHuxley(dt=dt, multi_step=True)(current)
    train.plot(torch.arange(len(v)) * dt, v, color=BLUE, linewidth=1.4)
    train.set_xlim(0, duration)
    train.set_xlabel("ms")
    tidy(train, "10 µA/cm² from 10 ms on", "mV")
    return page


def adaptive(share: float) -> Figure:
    """The threshold of an adaptive neuron, and its rate beside that of a plain one."""
    duration = round(600 * share)
    current = _steps(duration, 1.0, (50, 0.3), (400, 0.0), (470, 0.3))
    page = figure(11, 5.6)
    axes = page.subplots(4, 1, sharex=True, height_ratios=(3, 0.8, 0.8, 0.8))
    levels, trains, input_ = axes[0], axes[1:3], axes[3]
    neuron = snn.ALIF(beta=0.9, rho=0.99, beta_a=0.25, multi_step=True)
    spikes, a, mem = neuron(current)
    threshold = neuron.threshold + neuron.beta_a * a
    levels.plot(mem, color=BLUE, linewidth=1.2, label="membrane")
    levels.plot(threshold, color=ORANGE, linewidth=1.8, label="adaptive threshold")
    levels.axhline(1.0, color=GREY, linestyle="--", linewidth=1.2, label="threshold at rest")
    levels.legend(frameon=False, loc="upper right", ncols=3)
    levels.set_ylim(-0.6, 1.2 * float(threshold.max()))
    tidy(levels, "ALIF: every spike raises the threshold, for a while", "")
    plain, *_ = snn.Leaky(beta=0.9, multi_step=True)(current)
    for ax, train, name, color in (
        (trains[0], spikes, "adaptive", BLUE),
        (trains[1], plain, "plain", GREY),
    ):
        times = train.dense().squeeze(1).nonzero().squeeze(1)
        ax.vlines(times, 0, 1, color=color, linewidth=1)
        ax.set_yticks([])
        tidy(ax, f"{name}: {len(times)} spikes", "")
    input_.fill_between(range(duration), current.squeeze(1), color=GREY, alpha=0.4, linewidth=0)
    input_.set_xlim(0, duration)
    input_.set_xlabel("step")
    tidy(input_, "input", "")
    return page


def _steps(duration: float, dt: float, *steps: tuple[float, float]) -> Tensor:
    """A current ``[T, 1]`` that is 0 at first, and then takes a value at each of these times."""
    current = torch.zeros(round(duration / dt), 1)
    for start, value in steps:
        current[round(start / dt) :] = value
    return current


def _rate(train: Tensor, dt: float) -> float:
    """Spikes per second, in the second half of a train."""
    times = train[len(train) // 2 :].nonzero() * dt
    return 1000 / float(times.diff(dim=0).mean()) if len(times) > 1 else 0.0


def _grid(page: Figure, rows: int, columns: int) -> list[SubFigure]:
    return list(page.subfigures(rows, columns).flat)


def _answer(
    cell: SubFigure,
    title: str,
    dt: float,
    v: Tensor,
    spikes: Tensor,
    reach: tuple[float, float],
    current: Tensor,
    unit: str,
) -> None:
    """A membrane, whose spikes all reach the same height, above the current that it answers to."""
    upper, lower = cell.subplots(2, 1, sharex=True, height_ratios=(4, 1))
    time = torch.arange(len(v)) * dt
    v = torch.where(spikes.dense() > 0, float(reach[1]), v).squeeze(1)
    upper.plot(time, v, color=BLUE, linewidth=0.9)
    upper.set_ylim(reach[0], reach[1] + 6)
    tidy(upper, title, "mV")
    lower.plot(time, current, color=ORANGE, linewidth=1.2)
    lower.margins(y=0.25)
    lower.set_yticks(current.unique().tolist())
    lower.set_xlim(0, len(v) * dt)
    lower.set_xlabel("ms")
    tidy(lower, "", unit)


if __name__ == "__main__":
    main()
