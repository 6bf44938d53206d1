"""Neurons with states that the program carries from step to step."""

import matplotlib.pyplot as plt
import snntorch as snn
import snntorch.spikeplot as splt
import torch
from snntorch import spikegen, surrogate

torch.manual_seed(5)
num_steps = 100

# A resistor and a capacitor, then a decay, under a step of current.
lapicque = snn.Lapicque(R=5.1, C=5e-3, time_step=1e-3, threshold=0.5)
cur_in = torch.cat((torch.zeros(10, 1), torch.full((num_steps - 10, 1), 0.2)), 0)
mem = torch.ones(1) * 0.1
spk_rec, mem_rec = [torch.zeros(1)], [mem]
for step in range(num_steps):
    spk, mem = lapicque(cur_in[step], mem)
    spk_rec.append(spk)
    mem_rec.append(mem)
lapicque_spk = torch.stack(spk_rec)
lapicque_mem = torch.stack(mem_rec)
print(f"Lapicque: beta {lapicque.beta.item():.4f}, {int(lapicque_spk.sum())} spikes")

# Leaky, with each way of resetting, learned constants and inhibited neighbours.
noise = torch.rand(num_steps, 4, 9) * 0.5
records = {}
for mechanism in ("subtract", "zero", "none"):
    lif = snn.Leaky(beta=0.85, threshold=0.9, reset_mechanism=mechanism)
    mem = lif.init_leaky()
    spk_rec, mem_rec = [], []
    for step in range(num_steps):
        spk, mem = lif(noise[step], mem)
        spk_rec.append(spk)
        mem_rec.append(mem)
    records[mechanism] = torch.stack(spk_rec), torch.stack(mem_rec)
    print(f"{mechanism}: {records[mechanism][0].sum().item():.0f} spikes")

# A neuron that keeps its own state.
hidden = snn.Leaky(beta=0.85, threshold=0.9, init_hidden=True, output=True, learn_beta=True)
hidden_rec = [hidden(noise[step]) for step in range(num_steps)]
hidden_spk = torch.stack([spk for spk, _ in hidden_rec])
hidden_mem = torch.stack([mem for _, mem in hidden_rec])
hidden_mem.mean().backward()
gradients = {"beta": hidden.beta.grad}
hidden.reset_mem()
hidden_after_reset = hidden.mem
snn.Leaky.reset_hidden()

# Two layers of Synaptic, from a spiking input.
spk_in = spikegen.rate_conv(torch.rand(num_steps, 1, 30) * 0.4)
syn1, syn2 = (snn.Synaptic(alpha=0.9, beta=0.8, reset_delay=False) for _ in range(2))
weight = torch.randint(-8, 9, (30, 9)) / 32  # sums of these are exact
s1, m1 = syn1.init_synaptic()
s2, m2 = syn2.reset_mem()
synaptic_spk, synaptic_syn, synaptic_mem = [], [], []
for step in range(num_steps):
    spk1, s1, m1 = syn1(spk_in[step] @ weight, s1, m1)
    spk2, s2, m2 = syn2(spk1 * 0.25, s2, m2)
    synaptic_spk.append(spk1 + spk2)
    synaptic_syn.append(s2)
    synaptic_mem.append(m1)
synaptic_spk = torch.stack(synaptic_spk)
synaptic_syn = torch.stack(synaptic_syn)
synaptic_mem = torch.stack(synaptic_mem)
print("Synaptic:", synaptic_spk.size(), synaptic_spk.sum().item())

# Alpha, whose membrane rises smoothly.
alpha = snn.Alpha(alpha=0.8, beta=0.7, threshold=0.5)
syn_exc, syn_inh, mem = alpha.init_alpha()
spk_once = torch.zeros(num_steps, 1)
spk_once[::13] = 0.85
alpha_rec = []
for step in range(num_steps):
    spk, syn_exc, syn_inh, mem = alpha(spk_once[step], syn_exc, syn_inh, mem)
    alpha_rec.append(torch.stack((spk, syn_exc, syn_inh, mem)))
alpha_rec = torch.stack(alpha_rec)

# The gradient of a spike is that of the surrogate.
for name, spike_grad in {
    "atan": surrogate.atan(),
    "fast_sigmoid": surrogate.fast_sigmoid(slope=10),
    "straight_through": surrogate.straight_through_estimator(),
    "custom": surrogate.custom_surrogate(lambda input_, grad, spikes: grad * spikes),
}.items():
    current = torch.linspace(0, 2, 41).requires_grad_()
    spk, _ = snn.Leaky(beta=0.9, spike_grad=spike_grad)(current)
    spk.sum().backward()
    gradients[name] = current.grad

spk_zero, mem_zero = records["zero"]
plt.figure(figsize=(4, 4))
splt.traces(mem_zero[:, 0], spk=spk_zero[:, 0])
plt.savefig("traces.png")
plt.figure(figsize=(4, 4))
splt.traces(mem_zero[:, 0], dim=(2, 2), titles=["a", "b", "c", "d"])
fig, ax = plt.subplots(3, figsize=(4, 5), sharex=True)
ax[0].plot(cur_in)
ax[1].plot(lapicque_mem.detach())
ax[1].axhline(y=0.5, alpha=0.25, linestyle="dashed", c="black")
marks = splt.raster(lapicque_spk, ax[2], s=400, c="black", marker="|")
plt.savefig("lapicque.png")
plt.close("all")
