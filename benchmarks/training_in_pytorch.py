"""The same training in PyTorch: size, batch, float32 or bfloat16, and the layout of the images."""

import sys

import torch
from torch import nn
from turns import serve

size, batch, precision, layout = (
    int(sys.argv[1]),
    int(sys.argv[2]),
    getattr(torch, sys.argv[3]),
    getattr(torch, sys.argv[4]),
)
side = ((size - 4) // 2 - 4) // 2
model = nn.Sequential(
    *(nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2)),
    *(nn.Conv2d(64, 128, 3), nn.ReLU(), nn.Conv2d(128, 128, 3), nn.ReLU(), nn.MaxPool2d(2)),
    *(nn.Flatten(), nn.Linear(side**2 * 128, 64), nn.ReLU(), nn.Dropout(0.2), nn.Linear(64, 4)),
).to(memory_format=layout)
optimizer = torch.optim.Adam(model.parameters())
pixels = torch.randint(0, 256, (batch, 1, size, size), dtype=torch.uint8)
labels = torch.randint(0, 4, (batch,))


def step() -> None:
    """Make one update."""
    images = (pixels.float() / 255).to(memory_format=layout)
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == torch.bfloat16):
        loss = nn.functional.cross_entropy(model(images), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    loss.item()


serve(step, batch)
