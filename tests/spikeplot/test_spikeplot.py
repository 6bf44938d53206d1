"""What pictures show: the numbers that artists hold."""

import warnings

import matplotlib
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

import bitspike as snn
from bitspike import spikeplot
from bitspike.spikeplot import _spikes
from helpers.program import assert_succeeds


@pytest.fixture(autouse=True)
def style():
    """No function touches the global style."""
    before = dict(matplotlib.rcParams)
    yield
    assert dict(matplotlib.rcParams) == before


@pytest.fixture
def plt(monkeypatch):
    import matplotlib.pyplot as plt

    before = matplotlib.get_backend()
    plt.switch_backend("agg")
    yield plt
    plt.close("all")
    plt.switch_backend(before)


def axes():
    return Figure().subplots()


def some_spikes(*shape, density=0.3):
    return (torch.rand(shape) < density).float()


def points(marks):
    return sorted(map(tuple, np.asarray(marks.get_offsets()).astype(int).tolist()))


@settings(max_examples=30)
@given(st.integers(0, 5), st.integers(0, 140), st.integers(0, 2))
def test_raster_draws_every_spike(steps, neurons, rows):
    data = some_spikes(steps, neurons)
    wanted = sorted(map(tuple, data.nonzero().tolist()))
    packed = snn.SpikeTensor.from_dense(data, features=rows)
    for x in (data, data.bool(), 2 * data.bfloat16(), packed):
        assert points(spikeplot.raster(x, axes())) == wanted
    for x in (data.t(), packed.t()):
        drawn = points(spikeplot.raster(x, axes()))
        assert drawn == sorted((n, t) for t, n in wanted)


def test_raster_of_one_neuron():
    data = torch.tensor([0.0, 1.0, 0.0, 1.0])
    for x in (data, snn.SpikeTensor.from_dense(data), snn.SpikeTensor.from_dense(data, 0)):
        assert points(spikeplot.raster(x, axes())) == [(1, 0), (3, 0)]


def test_raster_does_not_unpack(monkeypatch):
    spikes = snn.SpikeTensor.from_dense(some_spikes(20, 3, 70))
    wanted = sorted(map(tuple, spikes.dense()[:, 1].nonzero().tolist()))
    monkeypatch.setattr(snn.SpikeTensor, "dense", None)
    before = snn.unpacked_operations()
    assert points(spikeplot.raster(spikes[:, 1], axes())) == wanted
    assert snn.unpacked_operations() == before


def test_raster_passes_arguments_on():
    marks = spikeplot.raster(some_spikes(9, 4), axes(), s=1.5, c="black")
    assert marks.get_sizes().tolist() == [1.5]
    assert marks.get_facecolor().tolist() == [[0, 0, 0, 1]]


def test_raster_shows_silent_neurons_and_keeps_labels():
    ax = axes()
    ax.set_ylabel("mine")
    spikeplot.raster(torch.eye(30, 50)[:, :10], ax)
    assert ax.get_xlim()[1] >= 29 and ax.get_ylim()[1] >= 9
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("step", "mine")


def test_raster_of_too_many_spikes(monkeypatch):
    monkeypatch.setattr(_spikes, "MOST_SPIKES", 100)
    data = torch.ones(30, 10)
    with pytest.warns(UserWarning, match="raster draws 100 of 300 spikes"):
        drawn = points(spikeplot.raster(data, axes()))
    with pytest.warns(UserWarning):
        again = points(spikeplot.raster(snn.SpikeTensor.from_dense(data), axes()))
    # One spike of every three, and they are three tenths of a step.
    assert len(set(drawn)) == 100 and drawn == again
    assert [min(n for t, n in drawn if t == 0) < 3, len({t for t, _ in drawn})] == [True, 30]
    monkeypatch.setattr(_spikes, "MOST_SPIKES", 300)
    assert len(points(spikeplot.raster(data, axes()))) == 300


def test_the_limit_is_a_million():
    assert _spikes.MOST_SPIKES == 10**6


def test_traces(plt):
    data, spk = torch.randn(20, 5, requires_grad=True), some_spikes(20, 5)
    titles = ["a", "b"]
    lines = spikeplot.traces(data, snn.SpikeTensor.from_dense(spk), (2, 2), 3, titles)
    assert len(lines) == 4
    for i, line in enumerate(lines):
        assert np.array_equal(line.get_ydata(), (data.double() + 3 * spk)[:, i].detach().numpy())
        assert line.axes.get_title() == dict(enumerate(titles)).get(i, "")
        assert line.axes.get_ylim() == lines[0].axes.get_ylim()
    assert len(spikeplot.traces(data.bfloat16())) == 5
    with pytest.raises(ValueError, match="spk must be .20, 5."):
        spikeplot.traces(data, spk[:, 1:])


def test_membrane():
    spk, mem = snn.Leaky(beta=0.9, multi_step=True)(torch.full((30, 1, 1), 0.4))
    assert spk.sum() > 3
    ax = axes()
    line, level, dots = spikeplot.membrane(mem[:, 0, 0], ax, 1.0, spk[:, 0, 0], color="red")
    assert np.array_equal(line.get_ydata(), mem[:, 0, 0].numpy()) and line.get_color() == "red"
    assert list(level.get_ydata()) == [1, 1]
    steps = spk.dense().flatten().nonzero().flatten()
    drawn = np.asarray(dots.get_offsets())
    assert drawn[:, 0].tolist() == steps.tolist()
    assert np.array_equal(drawn[:, 1].astype("f4"), mem[steps, 0, 0].numpy())
    assert (drawn[:, 1] > 1).all()


def test_rates():
    data = some_spikes(7, 3)
    wanted = torch.stack([data[:3].mean(0), data[3:6].mean(0), data[6:].mean(0)], 1)
    for x in (data, snn.SpikeTensor.from_dense(data)):
        mesh = spikeplot.rates(x, axes(), window=3)
        assert np.allclose(mesh.get_array(), wanted, rtol=1e-6)
        assert mesh.get_coordinates()[0, :, 0].tolist() == [0, 3, 6, 7]
        assert mesh.colorbar.ax.get_ylabel() == "spikes per step"
    mesh = spikeplot.rates(data, axes(), window=3, time_step=0.5)
    assert np.allclose(mesh.get_array(), wanted / 0.5, rtol=1e-6)
    assert mesh.get_coordinates()[0, :, 0].tolist() == [0, 1.5, 3, 3.5]
    assert mesh.colorbar.ax.get_ylabel() == "rate [Hz]"


def widths(bars):
    return [bar.get_width() for bar in bars]


def test_spike_count():
    data = some_spikes(12, 3)
    for x in (data, snn.SpikeTensor.from_dense(data)):
        figure = Figure()
        ax = figure.subplots()
        bars = spikeplot.spike_count(x, figure, ax, ["a", "b", "c"], num_steps=8, time_step=0.1)
        assert widths(bars) == data[:8].sum(0).tolist()
        assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "b", "c"]
        assert ax.get_xlim() == (0, 8)
        assert ax.xaxis.get_major_formatter()(5, 0) == "0.5"


def test_spike_count_animated(tmp_path):
    data = some_spikes(3, 2)
    figure = Figure(figsize=(2, 2))
    ax = figure.subplots()
    animation = spikeplot.spike_count(data, figure, ax, ["a", "b"], animate=True, interpolate=2)
    seen = []
    draw = animation._func
    animation._func = lambda frame: seen.append((frame, draw(frame))) or seen[-1][1]
    animation.save(tmp_path / "count.gif", writer="pillow")
    assert sorted({frame for frame, _ in seen}) == list(range(7))
    for frame in (0, 3, 6):
        *bars, now = draw(frame)
        assert widths(bars) == data[: frame // 2].sum(0).tolist()
        assert now.get_xdata()[0] == frame / 2


def test_animator(tmp_path):
    data = some_spikes(4, 5, 6)
    for x in (data, snn.SpikeTensor.from_dense(data)):
        figure = Figure(figsize=(2, 2))
        animation = spikeplot.animator(x, figure, figure.subplots(), num_steps=3)
        animation.save(tmp_path / "spikes.gif", writer="pillow")
        assert len(list(animation.new_frame_seq())) == 3
        (image,) = animation._func(2)
        assert np.array_equal(image.get_array(), data[2].numpy())
        assert image.get_clim() == (0, 1)


def test_errors():
    figure, ax = Figure(), axes()
    with pytest.raises(ValueError, match=r"data must be \[T, N\] or \[T\], not \(2, 3, 4\)"):
        spikeplot.raster(torch.zeros(2, 3, 4), ax)
    with pytest.raises(ValueError, match=r"data must be \[T\], not \(2, 3\)"):
        spikeplot.membrane(torch.zeros(2, 3), ax)
    with pytest.raises(ValueError, match=r"spk must be \(4,\) like data, not \(3,\)"):
        spikeplot.membrane(torch.zeros(4), ax, spk=torch.zeros(3))
    with pytest.raises(ValueError, match="window must be a positive number of steps, not 0"):
        spikeplot.rates(torch.zeros(4, 2), ax, window=0)
    for shape in ((0, 2), (2, 0)):
        with pytest.raises(ValueError, match="data must not be empty"):
            spikeplot.rates(torch.zeros(shape), ax)
    with pytest.raises(ValueError, match="labels must name 2 neurons, but there are 1"):
        spikeplot.spike_count(torch.zeros(4, 2), figure, ax, ["a"])
    with pytest.raises(ValueError, match="num_steps is 5, but data has 4"):
        spikeplot.spike_count(torch.zeros(4, 2), figure, ax, ["a", "b"], num_steps=5)
    with pytest.raises(ValueError, match="interpolate"):
        spikeplot.spike_count(torch.zeros(4, 2), figure, ax, ["a", "b"], interpolate=0)
    with pytest.raises(ValueError, match=r"data must be \[T, H, W\], not \(4, 2\)"):
        spikeplot.animator(torch.zeros(4, 2), figure, ax)
    with pytest.raises(ValueError, match="must not be empty"):
        spikeplot.animator(torch.zeros(0, 2, 2), figure, ax)


def test_matplotlib_is_imported_only_when_it_is_needed():
    assert_succeeds(
        "import sys, torch, bitspike as snn\n"
        "assert not any(name.split('.')[0] == 'matplotlib' for name in sys.modules)\n"
        "sys.modules['matplotlib'] = None\n"
        "try:\n"
        "    snn.spikeplot.traces(torch.zeros(3, 9))\n"
        "except ImportError as error:\n"
        "    assert 'bitspike[plot]' in str(error)\n"
        "else:\n"
        "    raise AssertionError\n"
    )


def test_pictures_are_drawn_without_warnings():
    figure = Figure()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for ax, shape in zip(figure.subplots(1, 3), ((1, 1), (9, 2), (2, 90)), strict=True):
            spikeplot.raster(torch.ones(shape), ax)
            spikeplot.rates(torch.ones(shape), ax)
        figure.canvas.draw()
