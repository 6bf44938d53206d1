"""Layers with quantised weights, in networks and in training."""

import copy
import io

import pytest
import torch
from torch import nn

import bitspike as snn
from bitspike import quantize, spikegen
from helpers.compare import dense, error, same_bits

LAYERS = {
    "linear": lambda **options: quantize.QuantLinear(24, 10, **options),
    "conv1d": lambda **options: quantize.QuantConv1d(3, 10, 3, 2, 1, **options),
    "conv2d": lambda **options: quantize.QuantConv2d(4, 10, 3, 1, 1, 1, 2, **options),
}
PLAIN = {
    "linear": lambda: nn.Linear(24, 10),
    "conv1d": lambda: nn.Conv1d(3, 10, 3, 2, 1),
    "conv2d": lambda: nn.Conv2d(4, 10, 3, 1, 1, 1, 2),
}
SHAPES = {"linear": (24,), "conv1d": (3, 9), "conv2d": (4, 6, 6)}
every_layer = pytest.mark.parametrize("kind", LAYERS)

FORMATS = {
    "8 bits": dict(weight_bit_width=8),
    "2 bits": dict(weight_bit_width=2, per_channel=False),
    "learned": dict(weight_bit_width=4, learned_scale=True),
    "ternary": dict(weight_quant=quantize.Ternary()),
    "binary": dict(weight_quant=quantize.Binary()),
    "bfloat16": dict(weight_quant=quantize.Float()),
}
every_format = pytest.mark.parametrize("options", FORMATS.values(), ids=FORMATS)


def spikes(kind="linear", steps=12, samples=5):
    # Too many for no row to be silent, too few for dense products.
    return spikegen.rate(torch.rand(samples, *SHAPES[kind]) / 2, num_steps=steps, packed=True)


def network(**neuron):
    """Layers of all formats one behind another."""
    neuron = dict(beta=0.9, init_hidden=True) | neuron
    modules = []
    for options in FORMATS.values():
        layer = quantize.QuantLinear(24, 24, **options)
        nn.init.normal_(layer.weight, std=0.6)
        modules += [layer, snn.Leaky(**neuron)]
    return nn.Sequential(*modules)


@every_layer
@every_format
def test_it_is_the_layer_of_floats_with_rounded_weights(kind, options):
    layer, plain = LAYERS[kind](**options), PLAIN[kind]()
    plain.load_state_dict(layer.state_dict(), strict=layer.weight_scale is None)
    plain.weight.data = layer.quant_weight().detach()
    x = torch.rand(5, *SHAPES[kind]).requires_grad_()
    out, wanted = layer(x), plain(x)
    assert same_bits(out, wanted)
    grad = torch.randn_like(out)
    to_x, to_weight, to_bias = torch.autograd.grad(out, (x, layer.weight, layer.bias), grad)
    wanted = torch.autograd.grad(wanted, (x, plain.weight, plain.bias), grad)
    assert same_bits(to_x, wanted[0]) and same_bits(to_bias, wanted[2])
    passed, _ = layer.weight_quant.gradients(wanted[1], layer.weight, layer.weight_scale)
    assert same_bits(to_weight, passed) and to_weight.abs().sum() > 0


@every_layer
@every_format
def test_packed_spikes_stay_packed(kind, options):
    layer = LAYERS[kind](**options)
    x = spikes(kind)
    x = x if kind == "linear" else x.flatten(0, 1)
    before = snn.unpacked_operations()
    out = layer(x)
    out.square().sum().backward()
    assert snn.unpacked_operations() == before
    assert error(out, layer(x.dense())) < 1e-6
    assert layer.weight.grad.abs().sum() > 0
    with torch.no_grad():
        assert error(layer(x), out) < 1e-6
    assert snn.unpacked_operations() == before


@every_layer
@every_format
def test_the_state_dict_is_that_of_the_layer_of_floats(kind, options):
    layer, plain = LAYERS[kind](**options), PLAIN[kind]()
    layer.load_state_dict(plain.state_dict())
    assert layer.weight.equal(plain.weight) and layer.bias.equal(plain.bias)
    assert set(layer.state_dict()) - set(plain.state_dict()) <= {"weight_scale"}
    if layer.weight_scale is not None:
        assert layer.weight_scale.equal(layer.weight_quant.first_scale(plain.weight))
        # A scale that has learned is kept.
        state = layer.state_dict() | {"weight_scale": torch.full_like(layer.weight_scale, 0.25)}
        layer.load_state_dict(state)
        assert bool((layer.weight_scale == 0.25).all())
    saved = io.BytesIO()
    torch.save(layer.state_dict(), saved)
    saved.seek(0)
    other = LAYERS[kind](**options)
    other.load_state_dict(torch.load(saved))
    copied = copy.deepcopy(layer)
    for same in (other, copied):
        assert same.weight_quant == layer.weight_quant
        assert same_bits(same.quant_weight(), layer.quant_weight())
    assert copied.weight is not layer.weight


def test_small_updates_add_up():
    """The floats that learn are never rounded: many steps of a hundredth make a whole one."""
    layer = quantize.QuantLinear(2, 1, bias=False, weight_bit_width=4)
    layer.weight.data = torch.tensor([[0.7, 0.0]])  # steps of 0.1
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.001)
    x, found = torch.tensor([[0.0, 1.0]]), []
    for _ in range(60):
        out = layer(x)
        found.append(out.item())
        optimizer.zero_grad()
        (-out.sum()).backward()
        optimizer.step()
    assert found[:49] == [0.0] * 49
    assert found[-1] == pytest.approx(0.1)


@every_format
def test_steps_and_sequences_have_the_same_spikes(options):
    layer = quantize.QuantLinear(24, 16, **options)
    nn.init.zeros_(layer.bias)
    form = layer.weight_quant
    # Multiples of powers of two, whose sums are exact in any order.
    highest = form.highest if isinstance(form, quantize.Integer) else 1
    step = 2.0 ** -(highest.bit_length() + 1)
    weight = torch.randint(-highest, highest + 1, layer.weight.shape)
    weight[:, 0] = highest
    if form == quantize.Binary():
        weight[weight == 0] = -1
    layer.weight.data = weight * step
    if layer.weight_scale is not None:
        layer.weight_scale.data.fill_(step)
    assert same_bits(layer.quant_weight() + 0.0, layer.weight)
    net = nn.Sequential(layer, snn.Leaky(beta=0.9, init_hidden=True))
    whole = nn.Sequential(layer, snn.Leaky(beta=0.9, init_hidden=True, multi_step=True))
    x = spikes()
    wanted = torch.stack([net(step) for step in x.dense()])
    assert 0 < wanted.mean() < 1
    runs = {
        "unrolled": lambda: snn.unroll(net, x),
        "in one call": lambda: whole(x),
        "dense": lambda: whole(x.dense()),
        "vectorised": lambda: snn.vectorize(lambda x: torch.stack([net(step) for step in x]))(x),
    }
    for name, run in runs.items():
        snn.utils.reset(net)
        snn.utils.reset(whole)
        assert same_bits(run(), wanted), name


def test_vectorized_layers_round_once_for_all_steps(monkeypatch):
    net = network()
    rounded = []
    apply = quantize.QuantLinear.quant_weight
    monkeypatch.setattr(
        quantize.QuantLinear, "quant_weight", lambda self: rounded.append(self) or apply(self)
    )

    def program(x):
        snn.utils.reset(net)
        return torch.stack([net(step) for step in x])

    fast = snn.vectorize(program)
    x = spikes(steps=6)
    wanted = program(x.dense())
    fast(x)
    rounded.clear()
    assert error(dense(fast(x)), wanted) == 0
    assert len(rounded) == len(FORMATS)


def test_gradients_of_a_network_are_those_of_its_steps():
    net, results = network(spike_grad=snn.surrogate.atan()), []
    for run in (snn.unroll, lambda net, x: torch.stack([net(step) for step in x.dense()])):
        x = results[0][0] if results else spikes()
        snn.utils.reset(net)
        net.zero_grad()
        (run(net, x) * torch.linspace(-1, 1, 24)).sum().backward()
        results.append((x, [p.grad.clone() for p in net.parameters()]))
    for a, b in zip(*(grads for _, grads in results), strict=True):
        assert error(a, b) < 1e-5


@every_layer
@every_format
def test_torch_compile(kind, options):
    layer = LAYERS[kind](**options)
    compiled = torch.compile(copy.deepcopy(layer), fullgraph=True, backend="aot_eager")
    x = torch.rand(5, *SHAPES[kind])
    for run in (layer, compiled):
        run(x).square().sum().backward()
    assert error(compiled(x), layer(x)) < 1e-6
    for a, b in zip(compiled.parameters(), layer.parameters(), strict=True):
        assert error(a.grad, b.grad) < 1e-6


@every_format
def test_transforms_of_torch_func(options):
    layer = quantize.QuantLinear(24, 10, **options)
    parameters = dict(layer.named_parameters())

    def loss(parameters, x):
        return torch.func.functional_call(layer, parameters, (x,)).square().sum()

    x = torch.rand(4, 24)
    each = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0))(parameters, x)
    for i, sample in enumerate(x):
        wanted = torch.autograd.grad(loss(parameters, sample), list(parameters.values()))
        for name, grad in zip(parameters, wanted, strict=True):
            assert error(each[name][i], grad) < 1e-5


def test_a_recurrent_layer_rounds_its_connection():
    neuron = snn.RLeaky(beta=0.9, linear_features=16, init_hidden=True)
    prepared = quantize.prepare(neuron, 2)
    assert type(prepared.recurrent) is quantize.QuantLinear
    frozen = quantize.freeze(prepared)
    current = torch.rand(20, 4, 16)
    wanted = snn.unroll(frozen, current)
    assert not same_bits(wanted, snn.unroll(neuron, current))
    assert same_bits(snn.unroll(prepared, current), wanted)
    snn.utils.reset(prepared)
    assert error(torch.stack([prepared(step) for step in current]), dense(wanted)) == 0
    snn.unroll(prepared, current).sum().backward()
    assert prepared.recurrent.weight.grad.abs().sum() > 0


@every_layer
def test_autocast_and_weights_of_16_bits(kind):
    x = torch.rand(5, *SHAPES[kind])
    layer = LAYERS[kind](weight_bit_width=8)
    with torch.autocast("cpu", torch.bfloat16):
        out = layer(x)
    assert out.dtype == torch.bfloat16 and error(out, layer(x)) < 0.02
    out.sum().backward()
    assert layer.weight.grad.dtype == torch.float32
    half = copy.deepcopy(layer).bfloat16()
    assert error(half(x.bfloat16()), layer(x)) < 0.02


def test_weights_of_16_bits_and_states_of_32():
    layer = quantize.QuantLinear(24, 10, weight_quant=quantize.Float())
    lif = snn.Leaky(beta=0.9, multi_step=True)
    before = snn.unpacked_operations()
    current = layer(spikes())
    fired, mem = lif(current)
    assert snn.unpacked_operations() == before
    assert current.dtype == mem.dtype == torch.float32 and isinstance(fired, snn.SpikeTensor)
    frozen = quantize.freeze(layer)
    assert frozen.weight.equal(layer.weight.bfloat16().float())


def test_training_with_four_bits_and_learned_scales():
    images, labels = torch.rand(20, 784).pow(4), torch.arange(20) % 10
    x = spikegen.rate(images, num_steps=10, packed=True)
    net = nn.Sequential(
        quantize.QuantLinear(784, 10, weight_bit_width=4, learned_scale=True),
        snn.Leaky(beta=0.9, init_hidden=True, multi_step=True),
    )
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
    scale, losses = net[0].weight_scale.detach().clone(), []
    for _ in range(15):
        snn.utils.reset(net)
        loss = snn.functional.ce_count_loss()(net(x), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
    assert not net[0].weight_scale.equal(scale)


def test_a_learned_scale_may_cross_zero():
    layer = quantize.QuantLinear(3, 2, weight_bit_width=4, learned_scale=True)
    wanted = layer.quant_weight()
    with torch.no_grad():
        layer.weight_scale.neg_()
    assert same_bits(layer.quant_weight(), wanted)
    assert bool((layer.integer_weight().scale > 0).all())
    with torch.no_grad():
        layer.weight_scale.zero_()
    assert layer.quant_weight().isfinite().all()


def test_empty_layers():
    for sizes in ((0, 3), (3, 0)):
        with pytest.warns(UserWarning, match="zero-element"):
            layer = quantize.QuantLinear(*sizes, weight_bit_width=4, learned_scale=True)
        out = layer(torch.rand(2, sizes[0]))
        assert same_bits(out, layer.bias.expand(2, sizes[1]))
        out.sum().backward()


def test_integers_of_a_layer():
    layer = quantize.QuantConv2d(4, 10, 3, weight_bit_width=4, learned_scale=True)
    integers, scale = layer.integer_weight()
    assert integers.dtype == torch.int8 and integers.shape == layer.weight.shape
    assert scale.shape == (10,)
    assert (integers * scale.view(-1, 1, 1, 1)).equal(layer.quant_weight())
    floats = quantize.QuantLinear(3, 2, weight_quant=quantize.Float())
    with pytest.raises(TypeError, match="Float.* has no integers; take quantize.Integer"):
        floats.integer_weight()


def test_a_layer_says_its_format():
    layer = quantize.QuantLinear(3, 2, weight_quant=quantize.Ternary())
    assert "in_features=3, out_features=2, bias=True, weight_quant=Ternary(" in repr(layer)


@every_layer
def test_contradicting_options_are_refused(kind):
    with pytest.raises(ValueError, match="8, 4 or 2 bits, not 3"):
        LAYERS[kind](weight_bit_width=3)
    with pytest.raises(ValueError, match=r"Binary\(per_channel=True\) is a format already"):
        LAYERS[kind](weight_bit_width=4, per_channel=True, weight_quant=quantize.Binary())
    with pytest.raises(TypeError, match="bit_width"):
        LAYERS[kind](bit_width=4)
