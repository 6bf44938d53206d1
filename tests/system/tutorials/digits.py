"""Images like those of MNIST, drawn here: what the programs in this folder learn from."""

import torch
from torch.utils.data import Dataset


class Digits(Dataset):
    """Ten shapes of bright strokes, moved and under noise, with the attributes of torchvision's."""

    def __init__(self, train: bool = True) -> None:
        generator = torch.Generator().manual_seed(7)
        shapes = (torch.rand(10, 1, 7, 7, generator=generator) < 0.4).float()
        shapes = torch.nn.functional.interpolate(shapes, size=(28, 28), mode="bilinear")
        generator.manual_seed(int(train))
        self.targets = torch.arange(640 if train else 160) % 10
        images = shapes[self.targets, 0]
        rows, columns = torch.randint(-2, 3, (2, len(images)), generator=generator).tolist()
        shifts = zip(images, rows, columns, strict=True)
        images = torch.stack([image.roll((row, column), (0, 1)) for image, row, column in shifts])
        noise = torch.rand(images.shape, generator=generator)
        self.data = ((0.8 * images + 0.2 * noise) * 255).to(torch.uint8)

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return self.data[index].unsqueeze(0) / 255, int(self.targets[index])
