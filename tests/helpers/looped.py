"""Small programs with a loop over time, each of which does one thing differently."""

import torch
from torch import nn
from torch.nn import functional as F

import bitspike as snn

T, B, N = 6, 5, 8


class Program(nn.Module):
    """Two layers; what happens in a step, and around the loop, is up to the subclass."""

    def __init__(self):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(N, N), nn.Linear(N, N)
        self.lif1, self.lif2 = snn.Leaky(beta=0.75), snn.Leaky(beta=0.5)
        self.one, self.two = (snn.Leaky(beta=0.75, init_hidden=True) for _ in range(2))


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


class NoStatesPassed(Program):
    def forward(self, x):
        self.lif1.reset_mem()
        out = [self.lif1(self.fc1(x_t)) for x_t in x.unbind(0)]
        return torch.stack([spk for spk, _ in out]), out[-1][1]


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


class Dropout(Program):
    def __init__(self):
        super().__init__()
        self.drop = nn.Dropout(0.5)

    def forward(self, x):
        return torch.stack([self.one(self.drop(self.fc1(x_t))) for x_t in x]), torch.rand(3)


class TwoDropouts(Dropout):
    def forward(self, x):
        out = []
        for x_t in x:
            spk = self.one(self.drop(self.fc1(self.drop(x_t))))
            out.append(self.two(self.fc2(self.drop(spk))))
        return torch.stack(out), torch.rand(3)


class Noise(Dropout):
    def forward(self, x):
        out = []
        for x_t in x:
            spk = self.one(self.drop(self.fc1(x_t)) + torch.rand(B, N) / 4)
            out.append(self.two(self.fc2(F.dropout(spk, 0.25))))
        return torch.stack(out), torch.rand(3)


class Normalised(Program):
    def __init__(self):
        super().__init__()
        self.norm, self.after = nn.BatchNorm1d(N), nn.LayerNorm(N)

    def forward(self, x):
        return torch.stack([self.one(self.after(self.norm(self.fc1(x_t)))) for x_t in x])


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


class Synaptic(Program):
    def __init__(self):
        super().__init__()
        self.syn = snn.Synaptic(alpha=0.5, beta=0.75)
        self.alif = snn.ALIF(beta=0.5, rho=0.75, beta_a=0.5, init_hidden=True, output=True)

    def forward(self, x):
        syn, mem = self.syn.init_synaptic()
        recorded = []
        for x_t in x:
            spk, syn, mem = self.syn(self.fc1(x_t), syn, mem)
            recorded.append((self.alif(spk), syn))
        return torch.stack([s for _, s in recorded]), torch.stack([a[-1] for a, _ in recorded])


class Gated(Program):
    def __init__(self):
        super().__init__()
        self.lstm = snn.SLSTM(N, N, threshold=0.1)

    def forward(self, x):
        syn, mem = self.lstm.init_slstm()
        out = []
        for x_t in x:
            spk, syn, mem = self.lstm(x_t, syn, mem)
            out.append(self.one(self.fc1(spk)))
        return torch.stack(out), mem


class Recurrent(Program):
    def __init__(self):
        super().__init__()
        self.rsyn = snn.RSynaptic(0.5, 0.75, all_to_all=False, V=0.5)
        self.kept = snn.RLeaky(0.75, all_to_all=False, V=0.25, init_hidden=True)

    def forward(self, x):
        spk, syn, mem = self.rsyn.init_rsynaptic()
        out = []
        for x_t in x:
            spk, syn, mem = self.rsyn(self.fc1(x_t), spk, syn, mem)
            out.append(self.kept(self.fc2(spk)))
        return torch.stack(out), mem


class Layers(Program):
    def __init__(self):
        super().__init__()
        self.delay = snn.SynapticDelay(2, 1.5)
        self.drop, self.graded = snn.TimeDropout(0.25), snn.GradedSpikes(N)
        self.norms = snn.BatchNormTT1d(N, T)

    def forward(self, x):
        out = []
        for t in range(T):
            cur = self.norms[t](self.fc1(self.delay(x[t])))
            out.append(self.graded(self.drop(self.one(cur))))
        return torch.stack(out)


class Maps(Program):
    def __init__(self):
        super().__init__()
        self.conv, self.pool = nn.Conv2d(2, 3, 2), nn.AvgPool2d(2)

    def forward(self, x):
        x = x.view(T, B, 2, 2, 2)
        out = []
        for t in range(T):
            y = F.pad(x[t], (1, 1, 1, 1))
            spk = self.one(F.max_pool2d(self.conv(y), 2, stride=1))
            z = self.pool(spk).squeeze(-1).unsqueeze(1).reshape(B, -1)
            out.append(torch.cat([z, z.view(B, 3, -1).permute(0, 2, 1).flatten(1)], dim=1))
        return torch.stack(out)


class Functions(Program):
    def forward(self, x):
        weight = self.fc1.weight
        scale = torch.linspace(0.5, 1.5, N)
        out = []
        for x_t in x:
            cur = F.linear(x_t, weight) @ self.fc2.weight + scale
            low = torch.where(cur > 0.25, cur, torch.zeros(())).clamp(max=2)
            gain = (2 - low).sum(1, keepdim=True) / N
            out.append(self.one(low * gain.abs() * x_t.mean()))
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


class NestedModules(Program):
    def __init__(self):
        super().__init__()
        self.block = nn.Sequential(
            nn.Linear(N, N), nn.ReLU(), nn.Sequential(snn.IF(init_hidden=True))
        )

    def forward(self, x):
        return torch.stack([self.block(x_t) for x_t in x])


class Random(Program):
    def __init__(self):
        super().__init__()
        self.escape = snn.EscapeLeaky(0.75, init_hidden=True, output=True)

    def forward(self, x):
        out = []
        for x_t in x:
            spk, *_ = self.escape(self.fc1(x_t))
            out.append(spk)
        return torch.stack(out), torch.rand(2)


PROGRAMS = {
    kind.__name__: kind
    for kind in list(vars().values())
    if isinstance(kind, type) and issubclass(kind, Program) and kind is not Program
}


def made(kind):
    """A program with numbers whose sums are exact, because products sum in other orders."""
    torch.manual_seed(4)
    net = kind()
    with torch.no_grad():
        for name, x in net.named_parameters():
            x.copy_((x * (3 if "fc" in name else 1) * 32).round() / 32)
    return net
