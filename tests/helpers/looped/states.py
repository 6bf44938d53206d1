"""What becomes of states from step to step, and what comes back to a layer."""

import torch
from torch import nn

import bitspike as snn

from .program import B, N, Program, T


class NoStatesPassed(Program):
    def forward(self, x):
        self.lif1.reset_mem()
        out = [self.lif1(self.fc1(x_t)) for x_t in x.unbind(0)]
        return torch.stack([spk for spk, _ in out]), out[-1][1]


class Residual(Program):
    def forward(self, x):
        out = []
        for x_t in x:
            spk = self.one(self.fc1(x_t))
            out.append(self.two(self.fc2(spk) + spk + 0.25) + spk)
        return torch.stack(out)


class Feedback(Program):
    """The second layer drives the first in the next step; the third does not."""

    def __init__(self):
        super().__init__()
        self.fc3, self.three = nn.Linear(N, N), snn.Leaky(beta=0.5, init_hidden=True)

    def forward(self, x):
        back = torch.zeros(B, N)
        out = []
        for x_t in x:
            spk = self.one(self.fc1(x_t) + back)
            back = self.two(self.fc2(spk))
            out.append(self.three(self.fc3(back)))
        return torch.stack(out)


class DelayedInput(Program):
    def forward(self, x):
        before = torch.zeros(B, N)
        out = []
        for x_t in x:
            spk = self.one(self.fc1(x_t))
            out.append(self.two(self.fc2(before) + spk))
            before = spk
        return torch.stack(out)


class Shared(Program):
    """One module twice a step: with states of its own it keeps apart, without it does not."""

    def forward(self, x):
        mem1 = mem2 = self.lif1.reset_mem()
        out = []
        for x_t in x:
            spk1, mem1 = self.lif1(self.fc1(x_t), mem1)
            spk2, mem2 = self.lif1(self.fc2(spk1), mem2)
            out.append(self.one(self.one(spk2 * 2)))
        return torch.stack(out)


class Reset(Program):
    def forward(self, x):
        out = []
        for t in range(T):
            if t in (2, 4):
                snn.utils.reset(self.one)
            out.append(self.one(self.fc1(x[t])))
        return torch.stack(out)


class ResetAlways(Program):
    def forward(self, x):
        out = []
        for x_t in x:
            snn.utils.reset(self)
            out.append(self.one(self.fc1(x_t)) + self.one(self.fc2(x_t)))
        return torch.stack(out)


class Detached(Program):
    def forward(self, x):
        mem = self.lif1.reset_mem()
        out = []
        for x_t in x:
            spk, mem = self.lif1(self.fc1(x_t), mem.detach())
            out.append(spk)
            self.one.detach_mem()
            self.one(spk)
        return torch.stack(out)


class WithoutGradient(Program):
    def forward(self, x):
        out = []
        for x_t in x:
            with torch.no_grad():
                spk = self.one(self.fc1(x_t))
            out.append(self.two(self.fc2(spk)))
        return torch.stack(out)


class HiddenMembranes(Program):
    def forward(self, x):
        out = []
        for x_t in x:
            spk = self.one(self.fc1(x_t))
            out.append(self.one.mem * 2 + spk)
        return torch.stack(out)


class KeptOnTheModule(Program):
    def __init__(self):
        super().__init__()
        self.mem = torch.zeros(B, N)

    def forward(self, x):
        out = []
        for x_t in x:
            spk, self.mem = self.lif1(self.fc1(x_t), self.mem)
            out.append(spk)
        self.mem = self.mem.detach()
        return torch.stack(out)
