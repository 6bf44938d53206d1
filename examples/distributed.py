"""Train one network in several processes, each of which sees its part of every batch.

DistributedDataParallel averages the gradients of all processes before each step of the optimiser,
so that every process has the weights that one would have got from whole batches: to rounding, until
that decides a spike.

    torchrun --nproc-per-node 2 examples/distributed.py           some seconds
    torchrun --nproc-per-node 2 examples/distributed.py --check   five steps, against one process
"""

import argparse
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, DistributedSampler

from bitspike import tasks, utils
from encoded_digits import Encoded, accuracy, cross_entropy, network

BATCH = 64
EPOCHS = 15
CHECKED_STEPS = 5
TOLERANCE = 1e-6


class Trained(NamedTuple):
    """What training left in a process."""

    gradients: list[Tensor]
    """Of the first step."""
    weights: list[Tensor]
    """After the last."""


def main() -> None:
    """Trains in all processes, and says what the network has learned."""
    arguments = options()
    steps = CHECKED_STEPS if arguments.check else None
    task = tasks.digits()
    digits, order = Encoded(task.train), {"seed": arguments.seed, "drop_last": True}
    dist.init_process_group("gloo")
    processes, rank = dist.get_world_size(), dist.get_rank()
    share = BATCH // processes

    net = network(arguments.seed)
    ours = train(DistributedDataParallel(net), DistributedSampler(digits, **order), share, steps)
    if rank == 0 and arguments.check:
        # The same order, of which each process has taken every so manieth digit.
        whole = DistributedSampler(digits, num_replicas=1, rank=0, **order)
        compare(ours, train(network(arguments.seed), whole, share * processes, steps))
    elif rank == 0:
        print(f"{processes} processes: {accuracy(net, task.test):.1%} of the test")
    dist.destroy_process_group()


def train(net: nn.Module, sampler: DistributedSampler, batch: int, steps: int | None) -> Trained:
    """Trains on the digits of a sampler: for so many steps, or else all epochs."""
    optimizer = torch.optim.SGD(net.parameters(), lr=0.02, momentum=0.9)
    gradients: list[Tensor] = []
    for spikes, labels in islice(batches(sampler, batch), steps):
        utils.reset(net)
        optimizer.zero_grad()
        cross_entropy(net(spikes), labels).backward()
        gradients = gradients or [p.grad.clone() for p in net.parameters()]
        optimizer.step()
    return Trained(gradients, [p.detach() for p in net.parameters()])


def batches(sampler: DistributedSampler, batch: int) -> Iterator[list[Tensor]]:
    """Packed spikes ``[T, B, 64]`` and labels ``[B]`` of all epochs, from a worker that encodes."""
    loader = DataLoader(
        sampler.dataset,
        batch,
        sampler=sampler,
        drop_last=True,
        collate_fn=tasks.time_first,
        num_workers=1,
        persistent_workers=True,
    )
    for epoch in range(EPOCHS):
        sampler.set_epoch(epoch)  # another order
        yield from loader


def compare(several: Trained, one: Trained) -> None:
    """Ends with an error if several processes have found something else than one."""
    for name, ours, theirs in zip(Trained._fields, several, one, strict=True):
        apart = max((a - b).abs().max().item() for a, b in zip(ours, theirs, strict=True))
        print(f"{name} differ by {apart:.1e} from those of one process")
        if not apart <= TOLERANCE:
            raise SystemExit(f"{name} must not differ by more than {TOLERANCE}")


def options() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description="Train one network in several processes.")
    parser.add_argument("--check", action="store_true", help="compare with training in one process")
    parser.add_argument("--seed", type=int, default=1, help="seed of weights and order")
    return parser.parse_args()


if __name__ == "__main__":
    main()
