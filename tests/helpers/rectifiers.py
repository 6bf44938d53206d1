"""Networks of rectifiers to convert."""

from functools import cache

import torch
from torch import nn
from torch.nn import functional as F

from bitspike import tasks


def mlp(seed=0, sizes=(12, 30, 20, 5)):
    """Random, with biases."""
    torch.manual_seed(seed)
    layers = []
    for inputs, outputs in zip(sizes[:-1], sizes[1:], strict=True):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


class CNN(nn.Module):
    """Functions as well as modules, normalisations, both kinds of pools."""

    def __init__(self, width=8):
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(1, width, 3, padding=1), nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, 2 * width, 3, padding=1)
        self.drop, self.fc = nn.Dropout(0.2), nn.Linear(8 * width, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.norm1(self.conv1(x))), 2)
        x = F.avg_pool2d(torch.relu(self.conv2(x)), 2)
        return self.fc(self.drop(x.view(x.size(0), -1)))


class Residual(nn.Module):
    """A block with a shortcut, one without, and a concatenation; one rectifier for all."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(1, 6, 3, padding=1)
        self.conv1, self.norm1 = nn.Conv2d(6, 6, 3, padding=1, bias=False), nn.BatchNorm2d(6)
        self.conv2 = nn.Conv2d(6, 6, 3, padding=1)
        self.conv3, self.short = nn.Conv2d(6, 8, 3, 2, 1), nn.Conv2d(6, 8, 1, 2)
        self.act, self.fc = nn.ReLU(inplace=True), nn.Linear(16, 4)

    def forward(self, x):
        x = self.act(self.stem(x))
        x = self.act(x + self.conv2(self.act(self.norm1(self.conv1(x)))))
        y = self.act(self.conv3(x).add(self.short(x)))
        y = torch.cat([y, F.relu(self.conv3(x))], dim=1)
        return self.fc(y.mean((2, 3)))


def settled(net, shape, seed=0):
    """A network in eval mode whose normalisations have seen some data."""
    torch.manual_seed(seed)
    for _ in range(3):
        net(torch.rand(16, *shape))
    return net.eval()


@cache
def digits():
    """Images and labels to train on, and others."""
    task = tasks.digits()
    return *task.train.tensors, *task.test.tensors


@cache
def trained(kind):
    """A network that reads digits, trained for a second or two; leave it as it is."""
    torch.manual_seed(0)
    wide = nn.Sequential(nn.Flatten(), *mlp(0, (64, 128, 128, 10)))
    net, epochs = (wide, 12) if kind == "mlp" else (CNN(16), 8)
    images, labels, *_ = digits()
    batches = len(images) // 64
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=epochs * batches)
    for _ in range(epochs):
        for batch in torch.randperm(len(images)).split(64)[:batches]:
            optimizer.zero_grad()
            F.cross_entropy(net(images[batch]), labels[batch]).backward()
            optimizer.step()
            schedule.step()
    return net.eval()


def accuracy(outputs):
    """The share of test digits that are read right."""
    return (outputs.argmax(-1) == digits()[3]).float().mean(-1)
