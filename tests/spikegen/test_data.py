"""What encoders take: arrays, lists and all dtypes, and in which dtype spikes come."""

import numpy as np
import pytest
import torch
from torch import nn

import bitspike as snn
from bitspike import spikegen

HALVES = pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
SPREAD = {"num_steps": 5, "normalize": True, "linear": True}
PACKING = {
    "rate": lambda x, packed: spikegen.rate(x, num_steps=5, packed=packed),
    "rate in time": lambda x, packed: spikegen.rate(x, time_var_input=True, packed=packed),
    "rate_conv": lambda x, packed: spikegen.rate_conv(x, packed=packed),
    "latency": lambda x, packed: spikegen.latency(x, **SPREAD, packed=packed),
    "delta": lambda x, packed: spikegen.delta(x, packed=packed),
    "phase": lambda x, packed: spikegen.phase(x, 4, packed=packed),
    "burst": lambda x, packed: spikegen.burst(x, 13, packed=packed),
    "rank_order": lambda x, packed: spikegen.rank_order(x, packed=packed),
    "time_to_first_spike": lambda x, packed: spikegen.time_to_first_spike(x, 4, packed=packed),
    "step_forward": lambda x, packed: spikegen.step_forward(x, packed=packed),
    "moving_window": lambda x, packed: spikegen.moving_window(x, 2, 0.1, packed=packed),
    "bsa": lambda x, packed: spikegen.bsa(x, torch.ones(2), 0.5, packed=packed),
    "pwm": lambda x, packed: spikegen.pwm(x, 3, packed=packed),
    "dvs": lambda x, packed: spikegen.dvs(x.unsqueeze(-1), packed=packed),
}
ENCODERS = pytest.mark.parametrize("encode", PACKING.values(), ids=PACKING)


@HALVES
@ENCODERS
def test_packed_spikes_have_the_dtype_of_the_data(encode, dtype):
    data = torch.tensor([[0, 1, 1, 0], [1, 0, 1, 0], [0, 0, 1, 1]]).to(dtype)
    packed, dense = encode(data, True), encode(data, False)
    assert type(packed) is snn.SpikeTensor
    assert packed.dtype == dense.dtype == dtype
    assert torch.equal(packed.dense(), dense)


@ENCODERS
def test_there_are_no_packed_spikes_of_float64(encode):
    state = torch.get_rng_state()
    with pytest.raises(TypeError, match=r"(data|frames) is float64, and packed spikes are not"):
        encode(torch.zeros(3, 4, dtype=torch.float64), True)
    assert torch.equal(torch.get_rng_state(), state)


@HALVES
def test_a_network_in_half_precision_takes_packed_spikes(dtype):
    lif = snn.Leaky(beta=0.9, init_hidden=True, multi_step=True)
    net = nn.Sequential(nn.Linear(4, 8), lif).to(dtype)
    spikes = net(spikegen.rate(torch.rand(3, 4).to(dtype), num_steps=5, packed=True))
    assert spikes.shape == (5, 3, 8)


def test_arrays_and_lists_are_data():
    values = [[0.0, 0.5], [1.0, 0.25]]
    wanted = torch.tensor([[[0, 0], [1, 0]], [[0, 1], [0, 0]], [[1, 0], [0, 1]]]).float()
    for data in (values, np.array(values, dtype=np.float32), np.array(values)):
        spikes = spikegen.latency(data, num_steps=3, normalize=True, linear=True)
        assert torch.equal(spikes.float(), wanted)
        assert spikes.dtype == torch.as_tensor(data).dtype
    # As they come from cameras; torch itself finds no minimum of uint16.
    frames = np.array([[[40000]], [[50000]], [[30000]]], dtype=np.uint16)
    on, off = spikegen.dvs(frames).flatten(1).T.tolist()
    assert (on, off) == ([0, 1, 0], [0, 0, 1])


@pytest.mark.parametrize("data", ["text", None, object(), [[1.0], [1.0, 2.0]]])
def test_what_is_no_data(data):
    with pytest.raises(TypeError, match="data must be a tensor or what torch.as_tensor takes"):
        spikegen.rate(data, num_steps=5)


@pytest.mark.parametrize("packed", [False, True])
def test_no_number_is_no_probability(packed):
    data = torch.tensor([0.5, float("nan")])
    for encode in (PACKING["rate"], PACKING["rate_conv"]):
        with pytest.raises(ValueError, match="data must not hold NaN"):
            encode(data, packed)


@pytest.mark.parametrize("default", [torch.float64, torch.bfloat16], ids=str)
def test_whole_numbers_become_float32_whatever_the_default(default):
    data = torch.tensor([1000, 1001, 1003])  # bfloat16 has 1000 and 1004
    torch.set_default_dtype(default)
    try:
        spikes = spikegen.delta(data, threshold=2)
        train, steps = spikegen.target_rate_code(300, first_spike_time=257, rate=0.1)
    finally:
        torch.set_default_dtype(torch.float32)
    assert spikes.dtype == train.dtype == torch.float32
    assert spikes.tolist() == [1, 0, 1]
    assert steps.tolist() == train.nonzero().flatten().tolist() == [257, 267, 277, 287, 297]


@ENCODERS
def test_packed_spikes_of_compiled_code(encode):
    data = torch.tensor([[0.0, 1, 1, 0], [1, 0, 1, 0], [0, 0, 1, 1]])
    compiled = torch.compile(lambda x: encode(x, True), backend="eager")(data)
    assert type(compiled) is snn.SpikeTensor
    assert torch.equal(compiled.dense(), encode(data, False))


@pytest.mark.filterwarnings("ignore")
def test_packed_spikes_are_not_traced():
    with pytest.raises(TypeError, match=r"data is traced by torch\.jit"):
        torch.jit.trace(lambda x: PACKING["rate"](x, True).dense(), (torch.rand(3, 4),))
