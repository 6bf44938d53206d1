"""Turning images and signals into spikes, and looking at them."""

import matplotlib.pyplot as plt
import torch
from digits import Digits
from snntorch import spikegen, utils
from snntorch import spikeplot as splt
from torch.utils.data import DataLoader

torch.manual_seed(11)
num_steps = 25

train_set = Digits(train=True)
utils.data_subset(train_set, 10)
train_set, val_set = utils.valid_split(train_set, Digits(train=True), 0.1, seed=4)
val_targets = val_set.targets
train_loader = DataLoader(train_set, batch_size=32, shuffle=True)
print(f"{len(train_set)} and {len(val_set)} images of {len(train_set.targets.unique())} classes")

images, labels = next(iter(train_loader))

# Rate coding: a bright pixel fires often.
spike_rate = spikegen.rate(images, num_steps=num_steps)
dim_rate = spikegen.rate(images, num_steps=num_steps, gain=0.25, offset=0.02, first_spike_time=3)
moving = images.unsqueeze(0) * torch.linspace(0, 1, num_steps).view(-1, 1, 1, 1, 1)
moving_rate = spikegen.rate(moving, time_var_input=True)
one_draw = spikegen.rate_conv(images)
print("rate:", spike_rate.size(), f"{spike_rate.mean():.4f} {dim_rate.mean():.4f}")

fig, ax = plt.subplots()
animation = splt.animator(spike_rate[:5, 0, 0], fig, ax, interval=50)
animation.save("rate.gif", writer="pillow")
plt.close(fig)

mean_images = torch.stack([spike_rate[:, 0, 0].mean(0), dim_rate[:, 0, 0].mean(0)])
plt.figure(facecolor="w")
for i in range(2):
    plt.subplot(1, 2, i + 1)
    plt.imshow(mean_images[i].cpu(), cmap="binary")
    plt.axis("off")
plt.savefig("means.png")

fig = plt.figure(facecolor="w", figsize=(6, 3))
ax = fig.add_subplot(111)
marks = splt.raster(spike_rate[:, 0].reshape(num_steps, -1), ax, s=1.5, c="black")
plt.title("Input Layer")
plt.xlabel("Time step")
plt.ylabel("Neuron Number")
plt.savefig("raster.png")

fig = plt.figure(facecolor="w", figsize=(6, 1))
ax = fig.add_subplot(111)
splt.raster(
    spike_rate.reshape(num_steps, 32, -1)[:, 0, 210].unsqueeze(1), ax, s=100, c="k", marker="|"
)
one_row = splt.raster(
    spike_rate.reshape(num_steps, 32, -1)[:, 0, 211], ax, s=100, c="r", marker="|"
)

# Latency coding: a bright pixel fires early.
latency_log = spikegen.latency(images, num_steps=100, tau=5, threshold=0.01)
latency_linear = spikegen.latency(
    images, num_steps=num_steps, tau=5, threshold=0.01, clip=True, normalize=True, linear=True
)
spike_times, below = spikegen.latency_code(images, num_steps=100, tau=5)
print("latency:", latency_log.sum().item(), latency_linear.sum().item(), int(below.sum()))

# Delta modulation: changes fire.
signal = torch.tensor([0.0, 1.0, 0.0, 2.0, 8.0, -20.0, 20.0, -5.0, 0.0, 1.0, 0.0])
delta_on = spikegen.delta(signal, threshold=4)
delta_both = spikegen.delta(signal, threshold=4, off_spike=True)
delta_padded = spikegen.delta(moving, threshold=0.1, padding=True)
print("delta:", delta_on.tolist(), delta_both.tolist())

# Targets.
one_hot = spikegen.to_one_hot(labels, 10)
silent = spikegen.to_one_hot_inverse(one_hot)
rate_targets = spikegen.targets_rate(labels, num_classes=10, num_steps=num_steps)
late_targets = spikegen.targets_rate(labels, num_classes=10, num_steps=5, first_spike_time=2)
latency_targets = spikegen.targets_latency(
    labels, num_classes=10, num_steps=num_steps, normalize=True, linear=True
)
converted = spikegen.targets_convert(labels, num_classes=10, code="rate", num_steps=num_steps)
pattern, pattern_times = spikegen.target_rate_code(num_steps=10, rate=0.4)
ramp = spikegen.latency_interpolate(torch.tensor([0.0, 3.0]), num_steps=5)

# A few spikes by hand: any noise can be encoded.
spike_prob = torch.rand((num_steps, 28, 28)) * 0.5
spike_rand = spikegen.rate_conv(spike_prob)
labels_of_bars = [str(i) for i in range(10)]
fig, ax = plt.subplots(facecolor="w", figsize=(6, 4))
splt.spike_count(
    spike_rand[:, 0, :10], fig, ax, labels_of_bars, num_steps=num_steps, time_step=1e-3
)
plt.savefig("count.png")
fig, ax = plt.subplots(facecolor="w", figsize=(3, 2))
bars = splt.spike_count(
    spike_rand[:4, 0, :10], fig, ax, labels_of_bars, animate=True, interpolate=2, num_steps=4
)
bars.save("count.gif", writer="pillow")
plt.close("all")
