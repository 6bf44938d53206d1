"""What runs at a step: layers and functions of many kinds."""

import torch
from torch import nn
from torch.nn import functional as F

import bitspike as snn

from .program import B, N, Program, T


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


class ByName(Program):
    """Arguments are given by name."""

    def __init__(self):
        super().__init__()
        self.drop = nn.Dropout(0.25)

    def forward(self, x):
        mem = self.lif1.reset_mem()
        out = []
        for x_t in torch.unbind(x, dim=0):
            cur = F.linear(input=x_t, weight=self.fc1.weight, bias=self.fc1.bias)
            cur = self.drop(input=torch.reshape(input=cur, shape=(B, N)))
            spk, mem = self.lif1(input_=cur, mem=mem)
            out.append(torch.flatten(input=self.one(input_=spk), start_dim=1))
        return torch.stack(tensors=out, dim=1)


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
