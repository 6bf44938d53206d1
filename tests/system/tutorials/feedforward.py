"""A fully connected network that classifies images, with a loss at every step."""

import snntorch as snn
import torch
from digits import Digits
from snntorch import functional as SF
from snntorch import spikegen, utils
from torch import nn
from torch.utils.data import DataLoader

torch.manual_seed(2)
num_steps = 10
batch_size = 64
device = torch.device("cpu")
train_set = utils.data_subset(Digits(train=True), 2)
test_set = Digits(train=False)
train_loader = DataLoader(train_set, batch_size=batch_size, shuffle=True, drop_last=True)
test_loader = DataLoader(test_set, batch_size=batch_size, drop_last=True)


class Net(nn.Module):
    """Two layers of Leaky, and a time loop in ``forward``."""

    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(28 * 28, 200)
        self.lif1 = snn.Leaky(beta=0.95)
        self.fc2 = nn.Linear(200, 10)
        self.lif2 = snn.Leaky(beta=0.95)

    def forward(self, x):
        """The same image at every step; spikes and membranes of the last layer."""
        mem1 = self.lif1.init_leaky()
        mem2 = self.lif2.init_leaky()
        spk2_rec, mem2_rec = [], []
        for _ in range(num_steps):
            cur1 = self.fc1(x)
            spk1, mem1 = self.lif1(cur1, mem1)
            cur2 = self.fc2(spk1)
            spk2, mem2 = self.lif2(cur2, mem2)
            spk2_rec.append(spk2)
            mem2_rec.append(mem2)
        return torch.stack(spk2_rec, dim=0), torch.stack(mem2_rec, dim=0)


net = Net().to(device)
loss = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(net.parameters(), lr=5e-4, betas=(0.9, 0.999))
before = nn.utils.parameters_to_vector(net.parameters()).detach()
loss_hist, acc_hist, test_loss_hist = [], [], []
images, labels = next(iter(test_loader))
first_spk, first_mem = net(images.view(batch_size, -1))
first_loss = loss(first_mem[-1], labels).item()

for epoch in range(2):
    for data, targets in train_loader:
        net.train()
        spk_rec, mem_rec = net(data.view(batch_size, -1).to(device))
        loss_val = torch.zeros((1), dtype=torch.float, device=device)
        for step in range(num_steps):
            loss_val += loss(mem_rec[step], targets)
        optimizer.zero_grad()
        loss_val.backward()
        optimizer.step()
        loss_hist.append(loss_val.item())
        acc_hist.append(SF.accuracy_rate(spk_rec, targets))
    with torch.no_grad():
        net.eval()
        test_data, test_targets = next(iter(test_loader))
        test_spk, test_mem = net(test_data.view(batch_size, -1))
        test_loss_hist.append(SF.ce_max_membrane_loss()(test_mem, test_targets).item())
    print(f"epoch {epoch}: train {loss_hist[-1]:.2f}, test {test_loss_hist[-1]:.2f}")

change = nn.utils.parameters_to_vector(net.parameters()).detach() - before
total = correct = 0
with torch.no_grad():
    for data, targets in test_loader:
        spk_rec, _ = net(data.view(data.size(0), -1))
        _, predicted = spk_rec.sum(dim=0).max(1)
        total += targets.size(0)
        correct += (predicted == targets).sum().item()
accuracy = correct / total

# The same network driven by spikes, step by step.
spk_in = spikegen.rate(test_data.view(batch_size, -1), num_steps=num_steps)
hidden_rec = []
mem = net.lif1.reset_mem()
with torch.no_grad():
    for step in range(num_steps):
        spk, mem = net.lif1(net.fc1(spk_in[step]), mem)
        hidden_rec.append(spk)
hidden_rate = torch.stack(hidden_rec).mean()
print(f"accuracy {accuracy:.2f} of {total}")
