"""`DelayLinear` beside dcls; ``make peer-test`` runs it, and no other target."""

import pytest
import torch
from DCLS.construct.modules import Dcls1d
from torch.nn import functional as F

import bitspike as snn
from helpers.compare import error

LONGEST, INPUTS, OUTPUTS, COUNT = 10, 6, 4, 2
WIDTHS = {"gauss": ("gaussian", 0.27), "max": ("triangle", 0.0), "v0": ("linear", 1.0)}
"""Our kernel for a version of dcls, and by how much our σ is wider."""


@pytest.mark.parametrize("version", WIDTHS)
def test_dcls(version):
    """Delay ``K - k`` is position ``k``, counted from the middle, behind silence of ``K`` steps."""
    kernel, wider = WIDTHS[version]
    theirs = Dcls1d(
        INPUTS, OUTPUTS, COUNT, dilated_kernel_size=LONGEST + 1, version=version, bias=True
    )
    sigma = 0.7
    ours = snn.DelayLinear(
        INPUTS, OUTPUTS, LONGEST, kernel, COUNT, sigma=sigma + wider, multi_step=True
    )
    with torch.no_grad():
        if theirs.SIG is not None:
            theirs.SIG.fill_(sigma)
        ours.weight.copy_(theirs.weight)
        ours.bias.copy_(theirs.bias)
        ours.delay.copy_(LONGEST - (theirs.P[0] + (LONGEST + 1) // 2))
    x = (torch.rand(25, 3, INPUTS) < 0.3).float()
    wanted = theirs(F.pad(x.permute(1, 2, 0), (LONGEST, 0))).permute(2, 0, 1)
    found = ours(x)
    assert error(found, wanted) < 1e-5
    grad = torch.randn_like(found)
    found.backward(grad)
    wanted.backward(grad)
    assert error(ours.weight.grad, theirs.weight.grad) < 1e-5
    assert error(ours.delay.grad, -theirs.P.grad[0]) < 1e-4
    ours.delay.data += 0.5
    assert error(ours(x), wanted) > 1e-2
