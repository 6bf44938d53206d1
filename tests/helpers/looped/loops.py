"""What is read and returned at which step."""

import torch
from torch.nn import functional as F

from .program import B, N, Program, T


class BatchFirst(Program):
    def forward(self, x):
        x = x.transpose(0, 1)
        mem = torch.zeros(B, N)
        out = []
        for t in range(x.shape[1]):
            spk, mem = self.lif1(self.fc1(x[:, t]), mem)
            out.append(spk)
        return torch.stack(out, dim=1)


class OddIndices(Program):
    def forward(self, x):
        y = x.permute(1, 2, 0)
        out = []
        for t in range(1, T - 1):
            spk, _ = self.lif1(self.fc1(y[..., t]) + self.fc2(x.select(0, t + 1)) + y[:, :, T - t])
            out.append(spk)
        return torch.stack(out, -1)


class Backwards(Program):
    def forward(self, x):
        return torch.stack([self.one(self.fc1(x[T - 1 - t])) for t in range(T)])


class NothingAtFirst(Program):
    def forward(self, x):
        mem, total = None, 0
        for x_t in x:
            spk, mem = self.lif1(self.fc1(x_t), mem)
            total = total + spk
        return total, mem


class WholeLists(Program):
    def forward(self, x):
        mem = self.lif1.init_leaky()
        spikes, membranes = [], []
        for x_t in x:
            spk, mem = self.lif1(self.fc1(x_t), mem)
            spikes.append(spk)
            membranes.append(mem)
        return sum(spikes), torch.cat(membranes), membranes[2], spikes[-1], spikes


class Assigned(Program):
    def forward(self, x):
        recorded = torch.zeros(T, B, N)
        mem = self.lif1.init_leaky()
        for t in range(T):
            recorded[t], mem = self.lif1(self.fc1(x[t]), mem)
        return recorded


class InnerLoop(Program):
    def forward(self, x):
        layers = [(self.fc1, self.lif1), (self.fc2, self.lif2)]
        mems = [torch.zeros(B, N) for _ in layers]
        out = []
        for x_t in x:
            for i, (fc, lif) in enumerate(layers):
                x_t, mems[i] = lif(fc(x_t) * 1.5, mems[i])
            out.append(x_t)
        return torch.stack(out), torch.stack(mems)


class FirstStepDiffers(Program):
    def forward(self, x):
        out = []
        for t in range(T):
            cur = self.fc1(x[t])
            if t == 0:
                cur = cur + 1
            out.append(self.two(self.fc2(self.one(cur))))
        return torch.stack(out)


class EverySecondStep(Program):
    def forward(self, x):
        out = []
        for t in range(T):
            spk = self.one(self.fc1(x[t]))
            if t % 2 == 1:
                out.append(self.two(self.fc2(spk)))
        return torch.stack(out)


class TwoLoops(Program):
    def forward(self, x):
        hidden = [self.one(self.fc1(x_t)) for x_t in x]
        out = [self.two(self.fc2(spk)) for spk in hidden[1:]]
        return torch.stack(out), torch.stack(hidden).sum(0)


class StaticInput(Program):
    def forward(self, x):
        out = []
        for _ in range(T):
            cur = torch.relu(self.fc1(x[0])) + 0.5
            out.append(self.two(self.fc2(self.one(cur))))
        return torch.stack(out)


class LossesInside(Program):
    def forward(self, x):
        labels = torch.arange(B)
        mem = self.lif1.init_leaky()
        loss, losses = torch.zeros(1), []
        for x_t in x:
            _, mem = self.lif1(self.fc1(x_t), mem)
            loss += F.cross_entropy(mem, labels)
            losses.append(F.mse_loss(mem, x_t))
        return loss / T, sum(losses)


class OneStep(Program):
    def forward(self, x):
        return self.two(self.fc2(self.one(self.fc1(x[0]))))
