"""A layer on a GPU, forward and backward: one Triton kernel each, against peers on the same GPU.

``make gpu-bench``. Times are medians of training steps in milliseconds.
"""

import torch
from spikingjelly.activation_based import functional, neuron, surrogate

import bitspike as snn
from bitspike.neurons.base.run import run_reference
from timing import interleaved

SIZES = ((100, 16, 512), (500, 16, 512), (100, 128, 2048), (500, 64, 2048))
"""Steps, samples, neurons."""
BYTES = 24
"""What a training step moves per neuron and step: current, spikes, membranes twice, gradients."""
ROUNDS = 15


def contenders(x, grad):
    """A training step of `Leaky`, by the library that runs it."""
    ours = snn.Leaky(beta=0.9, multi_step=True).cuda()
    own = snn.KLIF(beta=0.9).cuda()
    theirs = neuron.LIFNode(
        tau=10.0,
        decay_input=False,
        v_reset=None,
        surrogate_function=surrogate.ATan(),
        step_mode="m",
        detach_reset=True,
    ).cuda()
    rest = torch.zeros_like(x[0])

    def train(run):
        def step():
            current = x.detach().requires_grad_()
            run(current).backward(grad)
            torch.cuda.synchronize()

        return step

    def jelly(current):
        functional.reset_net(theirs)
        return theirs(current)

    return {
        "Leaky": train(lambda current: ours(current)[0]),
        "KLIF": train(lambda current: own.run_sequence(current)[0]),
        "SpikingJelly": train(jelly),
        "Leaky in torch": train(
            lambda current: run_reference(ours, current, [rest], True, False)[0]
        ),
    }


def main() -> None:
    """Prints a line for each size."""
    print(torch.cuda.get_device_name(0))
    for steps, samples, neurons in SIZES:
        x = torch.randn(steps, samples, neurons, device="cuda") * 0.5
        found = interleaved(contenders(x, torch.randn_like(x)), ROUNDS)
        times = "  ".join(f"{name} {1e3 * time.median:.3f}" for name, time in found.items())
        limit = steps * samples * neurons * BYTES / 3e12
        print(f"{steps} × {samples} × {neurons}: {times}  at 3 TB/s {1e3 * limit:.3f}", flush=True)


if __name__ == "__main__":
    main()
