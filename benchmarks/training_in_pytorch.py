"""The same training in PyTorch: network and its parts, size, batch, precision, layout of images."""

import json
import sys

import torch
from torch import nn
from torch.nn import functional
from turns import serve


def model_1(size: int, _: None) -> nn.Module:
    """Build model_1 of the study."""
    side = ((size - 4) // 2 - 4) // 2
    return nn.Sequential(
        *(nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(64, 128, 3), nn.ReLU(), nn.Conv2d(128, 128, 3), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(side**2 * 128, 64), nn.ReLU(), nn.Dropout(0.2)),
        nn.Linear(64, 4),
    )


def resnet(_: int, widths: list[int]) -> nn.Module:
    """Build the small residual network, of two blocks of each width."""
    parts, before = [*normalised(1, widths[0], 5, 2), nn.ReLU(), nn.MaxPool2d(3, 2, 1)], widths[0]
    for stage, width in enumerate(widths):
        parts += [Residual(before, width, 2 if stage else 1), Residual(width, width, 1)]
        before = width
    return nn.Sequential(*parts, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, 4))


class Residual(nn.Module):
    """Two convolutions, and what they leave as it was."""

    def __init__(self, before: int, width: int, stride: int):
        super().__init__()
        first, second = normalised(before, width, 3, stride), normalised(width, width, 3)
        self.changed = nn.Sequential(*first, nn.ReLU(), *second)
        pooled = [nn.AvgPool2d(stride)] if stride > 1 else []
        same = before == width and stride == 1
        self.kept = nn.Sequential(*([] if same else [*pooled, *normalised(before, width, 1)]))

    def forward(self, x):  # noqa: D102
        return functional.relu(self.changed(x) + self.kept(x))


def efficientnet_lite0(_: int, stages: list[list[int]]) -> nn.Module:
    """Build EfficientNet-Lite0 of stages: filters, kernel, stride, expansion, blocks."""
    parts, before = [*normalised(3, 32, 3, 2), nn.ReLU6()], 32
    for filters, kernel, stride, expansion, count in stages:
        for place in range(count):
            parts.append(Inverted(before, filters, kernel, 1 if place else stride, expansion))
            before = filters
    parts += [*normalised(before, 1280, 1), nn.ReLU6(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*parts, nn.Dropout(0.2), nn.Linear(1280, 4))


class Inverted(nn.Module):
    """Expand, look around within each channel, contract."""

    def __init__(self, before: int, filters: int, kernel: int, stride: int, expansion: int):
        super().__init__()
        wide = expansion * before
        parts = [*normalised(before, wide, 1), nn.ReLU6()] if expansion > 1 else []
        parts += [*normalised(wide, wide, kernel, stride, groups=wide), nn.ReLU6()]
        self.parts = nn.Sequential(*parts, *normalised(wide, filters, 1))
        self.adds = stride == 1 and before == filters

    def forward(self, x):  # noqa: D102
        return x + self.parts(x) if self.adds else self.parts(x)


def normalised(before: int, filters: int, kernel: int, stride: int = 1, groups: int = 1) -> list:
    """Give a convolution without bias and the batch normalisation after it."""
    convolution = nn.Conv2d(before, filters, kernel, stride, kernel // 2, bias=False, groups=groups)
    return [convolution, nn.BatchNorm2d(filters)]


NETWORKS = {"model_1": model_1, "resnet": resnet, "efficientnet_lite0": efficientnet_lite0}

if __name__ == "__main__":
    network, parts, size, batch = sys.argv[1], *map(json.loads, sys.argv[2:5])
    precision, layout = (getattr(torch, name) for name in sys.argv[5:])
    model = NETWORKS[network](size, parts).to(memory_format=layout)
    optimizer = torch.optim.Adam(model.parameters())
    channels = next(model.parameters()).shape[1]
    pixels = torch.randint(0, 256, (batch, 1, size, size), dtype=torch.uint8)
    labels = torch.randint(0, 4, (batch,))

    def step() -> None:
        """Make one update."""
        images = (pixels.float() / 255).expand(-1, channels, -1, -1).to(memory_format=layout)
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == torch.bfloat16):
            loss = functional.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        loss.item()

    serve(step, batch)
