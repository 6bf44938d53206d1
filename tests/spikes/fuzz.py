"""Chains of random operations on packed and on dense spikes, which must agree.

    python tests/spikes/fuzz.py [operations] [seed]

What does not agree is printed as a short program.
"""

import copy
import operator
import pickle
import sys
import warnings
from dataclasses import dataclass, field
from random import Random

import torch
from steps import any_step, write
from torch.nn import functional as F

from bitspike import SpikeTensor
from bitspike.spikes.unpacked_view import UnpackedView

PROLOGUE = """\
import copy, operator, pickle, torch
from torch.nn import functional as F
from bitspike import SpikeTensor
def numbers(*shape):
    return (torch.arange(torch.Size(shape).numel()) % 7 - 3.0).view(shape)
def weight(width):
    return numbers(4, width).requires_grad_()
"""
MODES = {
    "torch.enable_grad": torch.enable_grad,
    "torch.no_grad": torch.no_grad,
    "torch.inference_mode": torch.inference_mode,
}
TOLERANCE = {torch.bfloat16: 2e-2, torch.float16: 2e-3}
TAKE_MORE = ("x.view", "F.max_pool2d", "F.avg_pool2d")
"""Spikes have no strides that a view could not fit, and pools take any number of axes in front."""


@dataclass
class Chain:
    """A random program, and what it makes of packed and of dense spikes."""

    random: Random
    lines: list[str] = field(default_factory=list)

    def run(self) -> int:
        """Runs some operations, and says how many.

        Raises:
            AssertionError: with the program, if packed and dense spikes do not agree.
        """
        random = self.random
        mode = random.choice(list(MODES))
        length = random.randint(1, 8)
        with MODES[mode]():
            self.lines.append(
                f"torch.autograd.grad_mode.{mode.removeprefix('torch.')}().__enter__()"
            )
            packed, dense = self.start()
            for done in range(1, length + 1):
                if isinstance(packed, SpikeTensor | UnpackedView) and random.random() < 0.2:
                    self.refuse(packed, dense)
                pair = self.step(packed, dense)
                if pair is None:
                    return done
                packed, dense = pair
        if dense.requires_grad and mode == "torch.enable_grad":
            self.compare_gradients(packed, dense)
        return length

    def start(self):
        random = self.random
        sizes = (0, 1, 1, 2, 2, 3, 3, 4, 5)
        shape = [random.choice(sizes) for _ in range(random.randint(0, 3))]
        if random.random() < 0.7:
            shape.append(random.choice((0, 1, 2, 7, 63, 64, 65, 130)))
        if random.random() < 0.2:
            shape.append(random.choice((1, 4, 33)))
        features = random.randint(0, len(shape))
        dtype = random.choice((torch.float32,) * 3 + (torch.float16, torch.bfloat16))
        grad = random.random() < 0.4
        seed, density = random.randint(0, 99), random.choice((0.0, 0.1, 0.5, 1.0))
        self.lines += [
            f"dense = torch.rand({shape}, generator=torch.Generator().manual_seed({seed}))",
            f"dense = (dense < {density}).to({dtype}).requires_grad_({grad})",
            f"x = SpikeTensor.from_dense(dense, {features}).requires_grad_({grad})",
        ]
        names = {"torch": torch, "SpikeTensor": SpikeTensor}
        exec("\n".join(self.lines[-3:]), names)
        self.leaves = names["x"], names["dense"]
        return self.leaves

    def step(self, packed, dense):
        """The next operation; None if both refuse it, or give no tensor."""
        text = any_step(self.random, tuple(dense.shape))
        if text.startswith("operator.") or "inplace" in text:
            # They may write into dense numbers.
            text = text.replace("(x", "(x.clone()", 1)
        self.lines.append(f"x = {text}")
        expected, got = outcome(text, dense), outcome(text, packed)
        if isinstance(expected, Exception) or isinstance(got, Exception):
            takes_more = text.startswith(TAKE_MORE) and isinstance(expected, RuntimeError)
            self.check(takes_more or type(got) is type(expected), got, expected)
            return None
        self.compare(got, expected)
        return got, expected

    def refuse(self, packed, dense):
        text = write(self.random, tuple(dense.shape))
        self.lines.append(text)
        got = outcome(text, packed)
        self.check(isinstance(got, Exception), got, "an exception")
        self.lines.pop()
        self.compare(packed, dense)

    def compare(self, got, expected):
        self.check(got.shape == expected.shape, got.shape, expected.shape)
        self.check(got.dtype == expected.dtype, got.dtype, expected.dtype)
        # Without gradients, only views require one, and spikes are views where numbers are copied.
        agree = not torch.is_grad_enabled() or got.requires_grad == expected.requires_grad
        self.check(agree, f"{got.requires_grad=}", f"{expected.requires_grad=}")
        values = (got.dense() if isinstance(got, SpikeTensor) else got).detach()
        self.check(close(values, expected.detach()), values, expected)

    def compare_gradients(self, packed, dense):
        self.lines.append(text := "x.abs().sum().backward()")
        got, expected = outcome(text, packed), outcome(text, dense)
        self.check(type(got) is type(expected), got, expected)
        ours, theirs = (leaf.grad for leaf in self.leaves)
        self.check((ours is None) == (theirs is None), ours, theirs)
        if theirs is not None:
            self.check(type(ours) is torch.Tensor and close(ours, theirs), ours, theirs)

    def check(self, agree, got, expected):
        if not agree:
            program = "\n".join([PROLOGUE, *self.lines, "print(x)"])
            raise AssertionError(f"{program}\n# packed: {got!r}\n# dense: {expected!r}")


NAMES: dict = {"copy": copy, "operator": operator, "pickle": pickle, "torch": torch, "F": F}
exec(PROLOGUE, NAMES)


def outcome(text, x):
    """The value of an expression of ``x``, or what it raises."""
    try:
        return eval(text, NAMES | {"x": x})
    except Exception as error:
        return error


def close(got, expected):
    if got.shape != expected.shape or got.dtype != expected.dtype:
        return False
    tolerance = TOLERANCE.get(got.dtype, 1e-5)
    return torch.allclose(
        got.resolve_conj(), expected, rtol=tolerance, atol=tolerance, equal_nan=True
    )


def fuzz(operations: int, seed: int) -> int:
    """Runs at least so many operations, and returns how many."""
    random = Random(seed)
    done = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # What torch warns of, it warns of for dense numbers too.
        while done < operations:
            done += Chain(random).run()
    return done


def main() -> None:
    operations, seed = (*map(int, sys.argv[1:]), *(100_000, 0)[len(sys.argv) - 1 :])
    done = failures = 0
    random = Random(seed)
    while done < operations:
        try:
            done += fuzz(1, random.randrange(2**32))
        except AssertionError as failure:
            failures, done = failures + 1, done + 1
            print(f"{failure}\n", flush=True)
    print(f"{done} operations, {failures} failures")
    sys.exit(failures > 0)


if __name__ == "__main__":
    main()
