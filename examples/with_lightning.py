"""Train with Lightning: states reset by a callback, checkpoints, and half the precision.

A network of spikes is a module like any other. The one thing that a loop over batches has to do for
it is to put its neurons to rest before each of them, which is a callback of a few lines.

    python examples/with_lightning.py                            some seconds
    python examples/with_lightning.py --precision bf16-mixed     products in bfloat16
    python examples/with_lightning.py --resume demo/last.ckpt    goes on where a run has ended
"""

import argparse
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor
from torch.utils.data import DataLoader, DistributedSampler

from bitspike import tasks, utils
from encoded_digits import Encoded, cross_entropy, network

BATCH = 64


class ResetStates(lightning.Callback):
    """Puts all neurons to rest before each batch, which does not go on from the last."""

    def on_train_batch_start(
        self, trainer: Any, module: lightning.LightningModule, *_: Any
    ) -> None:
        """Before a step of training."""
        utils.reset(module)

    def on_validation_batch_start(
        self, trainer: Any, module: lightning.LightningModule, *_: Any
    ) -> None:
        """Before a step of validation."""
        utils.reset(module)


class Digits(lightning.LightningModule):
    """A network of spikes that tells digits apart."""

    def __init__(self, seed: int = 1) -> None:
        super().__init__()
        self.net = network(seed)

    def training_step(self, batch: list[Tensor], _: int) -> Tensor:
        """The loss of packed spikes ``[T, B, 64]`` and labels ``[B]``."""
        spikes, labels = batch
        return cross_entropy(self.net(spikes), labels)

    def validation_step(self, batch: list[Tensor], _: int) -> None:
        """Logs the share of digits that are found."""
        spikes, labels = batch
        right = self.net(spikes).mean(0).argmax(1) == labels
        self.log("accuracy", right.float().mean(), batch_size=len(labels))

    def configure_optimizers(self) -> Any:
        """Adam, slower every epoch."""
        optimizer = torch.optim.Adam(self.parameters(), lr=5e-3)
        return [optimizer], [torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)]


def main() -> None:
    """Trains, from the start or from a checkpoint, and says what the network has learned."""
    arguments = options()
    task = tasks.digits()
    train, test = Encoded(task.train), Encoded(task.test)
    # Its order is that of the epoch, also if that is the first after a checkpoint.
    order = DistributedSampler(train, num_replicas=1, rank=0, seed=arguments.seed)
    loaders = (
        DataLoader(train, BATCH, sampler=order, collate_fn=tasks.time_first),
        DataLoader(test, len(test), collate_fn=tasks.time_first),
    )
    trainer = lightning.Trainer(
        accelerator="cpu",
        devices=1,
        max_epochs=arguments.epochs,
        precision=arguments.precision,
        callbacks=[ResetStates(), ModelCheckpoint(arguments.out, save_last=True)],
        logger=False,
        enable_model_summary=False,
        enable_progress_bar=False,
    )
    trainer.fit(Digits(arguments.seed), *loaders, ckpt_path=arguments.resume)
    print(f"{trainer.current_epoch} epochs: {trainer.callback_metrics['accuracy']:.1%} of the test")


def options() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description="Train with Lightning.")
    parser.add_argument("--epochs", type=int, default=10, help="epochs, those of before included")
    parser.add_argument("--precision", default="32-true", help="as Lightning calls it")
    parser.add_argument("--resume", type=Path, help="a checkpoint to go on from")
    parser.add_argument("--seed", type=int, default=1, help="seed of weights and order")
    parser.add_argument("--out", type=Path, default=Path("demo"), help="folder of the checkpoints")
    return parser.parse_args()


if __name__ == "__main__":
    main()
