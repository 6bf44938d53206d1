"""Networks whose sums are the same in any order of addition."""

import torch


def exact(net):
    """The network with weights that are multiples of 1/64, four times as large as they were."""
    with torch.no_grad():
        for x in net.parameters():
            if x.dim():
                x.copy_((x * 256).round() / 64)
    return net.eval()
