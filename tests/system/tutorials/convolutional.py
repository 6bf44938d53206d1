"""A convolutional network in nn.Sequential, losses of functional, and a population of outputs."""

import snntorch as snn
import torch
from digits import Digits
from snntorch import backprop, surrogate, utils
from snntorch import functional as SF
from torch import nn
from torch.utils.data import DataLoader

torch.manual_seed(3)
num_steps = 8
beta = 0.9
spike_grad = surrogate.fast_sigmoid(slope=25)
train_set = utils.data_subset(Digits(train=True), 5)
train_loader = DataLoader(train_set, batch_size=32, shuffle=True)

net = nn.Sequential(
    nn.Conv2d(1, 6, 5),
    nn.MaxPool2d(2),
    snn.Leaky(beta=beta, threshold=0.3, spike_grad=spike_grad, init_hidden=True),
    nn.Conv2d(6, 12, 5),
    nn.MaxPool2d(2),
    snn.Leaky(beta=beta, threshold=0.3, spike_grad=spike_grad, init_hidden=True, learn_beta=True),
    nn.Flatten(),
    nn.Linear(12 * 4 * 4, 10),
    snn.Leaky(
        beta=beta,
        threshold=0.3,
        spike_grad=spike_grad,
        init_hidden=True,
        learn_threshold=True,
        output=True,
    ),
)


def forward_pass(net, num_steps, data):
    """The same image at every step, from rest."""
    mem_rec, spk_rec = [], []
    utils.reset(net)  # resets hidden states for all LIF neurons in net
    for _ in range(num_steps):
        spk_out, mem_out = net(data)
        spk_rec.append(spk_out)
        mem_rec.append(mem_out)
    return torch.stack(spk_rec), torch.stack(mem_rec)


def batch_accuracy(loader, net, num_steps):
    """The share of images whose class fires most."""
    with torch.no_grad():
        total, acc = 0, 0
        net.eval()
        for data, targets in loader:
            spk_rec, _ = forward_pass(net, num_steps, data)
            acc += SF.accuracy_rate(spk_rec, targets) * spk_rec.size(1)
            total += spk_rec.size(1)
    return acc / total


images, labels = next(iter(train_loader))
first_spk, first_mem = forward_pass(net, num_steps, images)
first_losses = {
    "ce_rate": SF.ce_rate_loss()(first_spk, labels).item(),
    "ce_count": SF.ce_count_loss()(first_spk, labels).item(),
    "ce_max_membrane": SF.ce_max_membrane_loss()(first_mem, labels).item(),
    "mse_count": SF.mse_count_loss(correct_rate=0.8, incorrect_rate=0.2)(first_spk, labels).item(),
    "mse_membrane": SF.mse_membrane_loss(on_target=1.05, off_target=0.2)(first_mem, labels).item(),
    "ce_temporal": SF.ce_temporal_loss()(first_spk, labels).item(),
    "l1": SF.l1_rate_sparsity(1e-4)(first_spk).item(),
}
first_accuracies = SF.accuracy_rate(first_spk, labels), SF.accuracy_temporal(first_spk, labels)

# Training by hand.
before = nn.utils.parameters_to_vector(net.parameters()).detach()
optimizer = torch.optim.Adam(net.parameters(), lr=3e-3, betas=(0.9, 0.999))
loss_fn = SF.ce_rate_loss()
reg_fn = SF.l1_rate_sparsity(1e-5)
loss_hist = []
for data, targets in train_loader:
    net.train()
    spk_rec, _ = forward_pass(net, num_steps, data)
    loss_val = loss_fn(spk_rec, targets) + reg_fn(spk_rec)
    optimizer.zero_grad()
    loss_val.backward()
    optimizer.step()
    loss_hist.append(loss_val.item())
change = nn.utils.parameters_to_vector(net.parameters()).detach() - before
accuracy = batch_accuracy(train_loader, net, num_steps)
print(f"{len(loss_hist)} batches, loss {loss_hist[0]:.2f} to {loss_hist[-1]:.2f}")

# Training by backprop, of a population of 5 neurons per class.
population = nn.Sequential(
    nn.Flatten(),
    nn.Linear(784, 60),
    snn.Leaky(beta=0.9, init_hidden=True),
    nn.Linear(60, 50),
    snn.Leaky(beta=0.9, init_hidden=True, output=True),
)
population_optimizer = torch.optim.Adam(population.parameters(), lr=1e-3)
population_loss = SF.mse_count_loss(
    correct_rate=1.0, incorrect_rate=0.0, population_code=True, num_classes=10
)
population_loss_hist = []
for _ in range(2):
    epoch_loss = backprop.BPTT(
        population,
        train_loader,
        optimizer=population_optimizer,
        criterion=population_loss,
        num_steps=num_steps,
        time_var=False,
        regularization=reg_fn,
    )
    population_loss_hist.append(epoch_loss.item())
with torch.no_grad():
    spk_rec, _ = forward_pass(population, num_steps, images)
population_accuracy = SF.accuracy_rate(spk_rec, labels, population_code=True, num_classes=10)
print(f"population of {spk_rec.size(2)}: loss {population_loss_hist[-1]:.2f}")
