"""`SpikingSelfAttention` beside SpikingJelly; ``make peer-test`` runs it, and no other target."""

import warnings

import pytest
import torch
from torch import nn

import bitspike as snn

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from spikingjelly.activation_based import functional, layer, neuron

STEPS, BATCH, TOKENS, DIM, HEADS = 8, 3, 10, 24, 3


class Neurons(nn.Module):
    """Their neurons in our layer: what is compared is all that lies between them."""

    def __init__(self, threshold):
        super().__init__()
        self.node = neuron.LIFNode(tau=2.0, v_threshold=threshold, detach_reset=True, step_mode="m")

    def run_sequence(self, current):
        return self.node(current)


def theirs(kind):
    classes = {
        "ssa": layer.SpikingSelfAttention,
        "qk_token": layer.TokenQKAttention,
        "qk_channel": layer.ChannelQKAttention,
    }
    return classes[kind](DIM, HEADS).eval()


def ours(kind, other):
    """Ours with their weights: their queries, keys and values are one layer."""
    made = snn.SpikingSelfAttention(DIM, HEADS, kind, neuron=Neurons).eval()
    parts = [made.queries, made.keys, *([made.values] if made.values else [])]
    joined = other.qkv_conv_bn if kind == "ssa" else other.qk_conv_bn
    with torch.no_grad():
        for projections, source in ((parts, joined), ([made.out], other.proj_conv_bn)):
            conv, norm = (next(m for m in source.modules() if isinstance(m, k)) for k in KINDS)
            norm.weight.uniform_(4, 6)
            norm.bias.uniform_(0.8, 1.5)
            for i, part in enumerate(projections):
                rows = slice(i * DIM, (i + 1) * DIM)
                part.linear.weight.copy_(conv.weight[rows, :, 0])
                part.norm.weight.copy_(norm.weight[rows])
                part.norm.bias.copy_(norm.bias[rows])
    return made


KINDS = nn.Conv1d, nn.BatchNorm1d


@pytest.mark.parametrize("kind", ["ssa", "qk_token", "qk_channel"])
def test_spikingjelly(kind):
    torch.manual_seed(0)
    other = theirs(kind)
    made = ours(kind, other)
    x = (torch.rand(STEPS, BATCH, TOKENS, DIM) < 0.3).float()
    with torch.no_grad():
        wanted = other(x.transpose(2, 3)).transpose(2, 3)
        found = made.run_sequence(snn.SpikeTensor.from_dense(x, 1))
        assert 0.05 < wanted.mean() < 0.95
        assert (found != wanted).float().mean() < 5e-3  # sums in another order
        made.scale, made.heads = 1.0, 1
        made.keys.linear.weight.neg_()
        functional.reset_net(made)
        assert (made.run_sequence(x) != wanted).float().mean() > 2e-2
