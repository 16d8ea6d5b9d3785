"""A trained model that tells white pictures from black ones, on disk as a run."""

from pathlib import Path

import numpy as np
import torch

from muybridge.inference.recognizer import Recognizer
from muybridge.models.network import RecognizerNet
from muybridge.recipes.model import ModelConfig
from muybridge.video.sampling import UniformSampler

SIZE_PX = 32


def flashing_run(folder: Path) -> Path:
    """Save a small MobileNet, whose features are random, with a classifier fitted to white and black."""
    torch.manual_seed(3)
    config = ModelConfig(encoder="mobilenet", width=0.25, weights="none", head="mean", dense_widths=())
    net = RecognizerNet(config, class_count=2).eval()
    clips_BTHWC = torch.from_numpy(np.stack([np.full((1, SIZE_PX, SIZE_PX, 3), shade, np.uint8) for shade in (255, 0)]))
    with torch.no_grad():
        output_BD = net.head(net.norm(net.encode(clips_BTHWC)))
        apart_D = output_BD[0] - output_BD[1]
        middle_D = output_BD.mean(dim=0)
        last = net.classifier[-1]
        direction_D = 16 * apart_D / apart_D.square().sum()
        last.weight.copy_(torch.stack([direction_D, -direction_D]))
        offset = -(direction_D * middle_D).sum()
        last.bias.copy_(torch.stack([offset, -offset]))
    recognizer = Recognizer(
        net, classes=("white", "black"), sampler=UniformSampler(frames=4), size_px=SIZE_PX, device="cpu"
    )
    recognizer.save(folder / "model")
    return folder
