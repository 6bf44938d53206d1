"""Operations that consist of others, and kernels that ask about gradients, on spikes."""

import pytest
import torch

from bitspike import SpikeTensor
from helpers.alike import random

TRANSFORMS = {
    "hfft2": lambda x: torch.fft.hfft2(x, s=(5, 10), dim=(0, 1)),
    "hfftn": lambda x: torch.fft.hfftn(x, s=(5, 10), dim=(0, 1)),
    "ihfft2": lambda x: torch.fft.ihfft2(x, dim=(0, 1)),
    "irfft of a conjugate": lambda x: torch.fft.irfft(torch.fft.rfft(x).conj()),
    "istft": lambda x: torch.stft(x[:, 0, 0], 4, window=torch.ones(4), return_complex=True),
}


@pytest.mark.parametrize("name", TRANSFORMS)
@pytest.mark.parametrize("mode", [torch.enable_grad, torch.no_grad, torch.inference_mode])
def test_pending_conjugations_are_resolved(name, mode):
    dense = random(5, 6, 7)
    with mode():
        for spikes in (SpikeTensor.from_dense(dense), SpikeTensor.from_dense(dense)[:]):
            torch.testing.assert_close(TRANSFORMS[name](spikes), TRANSFORMS[name](dense))


def test_pending_conjugations_on_spikes_made_in_inference_mode():
    dense = random(5, 6, 7)
    with torch.inference_mode():
        spikes = SpikeTensor.from_dense(dense)
    transform = TRANSFORMS["hfft2"]
    torch.testing.assert_close(transform(spikes), transform(dense))


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support is in beta state:UserWarning")
@pytest.mark.parametrize("reduce", ["sum", "mean", "amax", "amin"])
def test_sparse_products_keep_what_backward_needs(reduce):
    matrix = torch.tensor([[0.0, 2.0, 3.0], [1.0, 0.0, 4.0], [5.0, 6.0, 0.0]]).to_sparse_csr()
    dense, gradients = random(3, 2), []
    for x in (dense, SpikeTensor.from_dense(dense)):
        x = x.detach().requires_grad_()
        torch.sparse.mm(matrix, x, reduce).sum().backward()
        gradients.append(x.grad)
    assert torch.equal(*gradients) and gradients[0].any()


def test_errors_in_inference_mode_are_those_of_torch():
    number = SpikeTensor.from_dense(torch.tensor(1.0))
    with torch.inference_mode(), pytest.raises(RuntimeError, match="at least 1D"):
        number @ torch.ones(1)
