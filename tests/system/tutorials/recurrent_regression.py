"""Membranes that follow curves: recurrent neurons, and constants that are learned."""

import snntorch as snn
import torch
from snntorch import functional as SF
from snntorch import utils
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(8)
num_steps = 20


def curves(samples):
    """Straight lines to their squares, ``[samples, num_steps, 1]``."""
    slope = torch.rand(samples, 1, 1)
    line = slope * torch.linspace(0, 1, num_steps).view(1, -1, 1)
    return line, line.square()


train_loader = DataLoader(TensorDataset(*curves(32)), batch_size=16, shuffle=True, drop_last=True)


class Regression(nn.Module):
    """A recurrent layer, and a membrane without reset as output."""

    def __init__(self, hidden):
        super().__init__()
        self.fc_in = nn.Linear(1, hidden)
        self.lif_in = snn.Leaky(
            beta=torch.rand(hidden), threshold=torch.rand(hidden), learn_beta=True
        )
        self.fc_hidden = nn.Linear(hidden, hidden)
        self.lif_hidden = snn.RLeaky(
            beta=0.8, linear_features=hidden, learn_beta=True, learn_threshold=True
        )
        self.fc_out = nn.Linear(hidden, 1)
        self.li_out = snn.Leaky(beta=0.7, threshold=1.0, learn_beta=True, reset_mechanism="none")

    def forward(self, x):
        """Hidden spikes, and a membrane ``[T, B, 1]`` for inputs ``[T, B, 1]``."""
        mem_1 = self.lif_in.reset_mem()
        spk_2, mem_2 = self.lif_hidden.init_rleaky()
        mem_3 = self.li_out.reset_mem()
        spk_rec, mem_rec = [], []
        for step in range(x.size(0)):
            spk_1, mem_1 = self.lif_in(self.fc_in(x[step]), mem_1)
            spk_2, mem_2 = self.lif_hidden(self.fc_hidden(spk_1), spk_2, mem_2)
            _, mem_3 = self.li_out(self.fc_out(spk_2), mem_3)
            spk_rec.append(spk_2)
            mem_rec.append(mem_3)
        return torch.stack(spk_rec), torch.stack(mem_rec)


class LongShortTerm(nn.Module):
    """Two spiking LSTMs, whose last membrane is read."""

    def __init__(self, hidden):
        super().__init__()
        self.slstm1 = snn.SLSTM(hidden, hidden, threshold=0.1, learn_threshold=True)
        self.slstm2 = snn.SLSTM(hidden, hidden, threshold=0.1, reset_mechanism="subtract")
        self.fc_in = nn.Linear(1, hidden)
        self.fc_out = nn.Linear(hidden, 1)

    def forward(self, x):
        """Hidden spikes, and a membrane ``[T, B, 1]`` for inputs ``[T, B, 1]``."""
        syn1, mem1 = self.slstm1.init_slstm()
        syn2, mem2 = self.slstm2.reset_mem()
        spk_rec, mem_rec = [], []
        for step in x:
            spk1, syn1, mem1 = self.slstm1(self.fc_in(step), syn1, mem1)
            spk2, syn2, mem2 = self.slstm2(spk1, syn2, mem2)
            spk_rec.append(spk1)
            mem_rec.append(self.fc_out(mem2))
        return torch.stack(spk_rec), torch.stack(mem_rec)


regression, long_short_term = Regression(30), LongShortTerm(12)
first_inputs = curves(4)[0].swapaxes(0, 1)
first = {"regression": regression(first_inputs), "long_short_term": long_short_term(first_inputs)}
loss_hist, changes = {}, {}
for net in (regression, long_short_term):
    name = type(net).__name__
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
    loss_fn = nn.MSELoss()
    before = nn.utils.parameters_to_vector(net.parameters()).detach()
    loss_hist[name] = []
    for _ in range(5):
        for feature, label in train_loader:
            spk, mem = net(feature.swapaxes(0, 1))
            loss_val = loss_fn(mem, label.swapaxes(0, 1))
            optimizer.zero_grad()
            loss_val.backward()
            optimizer.step()
            loss_hist[name].append(loss_val.item())
    changes[name] = nn.utils.parameters_to_vector(net.parameters()).detach() - before
    print(f"{name}: loss {loss_hist[name][0]:.3f} to {loss_hist[name][-1]:.3f}")

# Classification of the slope by neurons with synapses, which keep their states.
recurrent = nn.Sequential(
    nn.Linear(1, 20),
    snn.Synaptic(alpha=0.7, beta=0.8, init_hidden=True, learn_alpha=True),
    nn.Linear(20, 20),
    snn.RLeaky(beta=0.8, linear_features=20, init_hidden=True),
    nn.Linear(20, 2),
    snn.RLeaky(beta=0.8, all_to_all=False, V=0.5, init_hidden=True, output=True),
)
optimizer = torch.optim.Adam(recurrent.parameters(), lr=1e-2)
slope_loss_hist = []
for feature, label in 3 * list(train_loader):
    utils.reset(recurrent)
    spk_rec = torch.stack([recurrent(step)[0] for step in feature.swapaxes(0, 1)])
    steep = (label[:, -1, 0] > 0.25).long()
    loss_val = SF.mse_count_loss(correct_rate=0.8, incorrect_rate=0.1)(spk_rec, steep)
    optimizer.zero_grad()
    loss_val.backward()
    optimizer.step()
    slope_loss_hist.append(loss_val.item())
# Synapses and spikes that come back, by hand.
rsynaptic = snn.RSynaptic(alpha=0.6, beta=0.8, linear_features=20)
spk, syn, mem = rsynaptic.init_rsynaptic()
first_rec = []
with torch.no_grad():
    for step in feature.swapaxes(0, 1):
        spk, syn, mem = rsynaptic(step.expand(-1, 20), spk, syn, mem)
        first_rec.append(mem)
first_rec = torch.stack(first_rec)
learned = [name for name, parameter in recurrent.named_parameters() if parameter.grad is not None]
print(learned)
