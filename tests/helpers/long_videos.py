"""Long videos of two classes that brightness tells apart, and a model that does."""

from pathlib import Path

import av
import numpy as np

from muybridge import api
from muybridge.recipes.store import parse_recipe
from tests.helpers.clips import TINY

LEVELS = {"dim": 70, "bright": 180}
PARTS = ("dim", "bright", "dim", "bright")
PART_SECONDS = 4


def write_long(path: Path, *, parts: tuple[str, ...] = PARTS, seed: int = 0, codec: str = "mpeg4") -> Path:
    """Four seconds of each part, at 25 frames a second."""
    generator = np.random.default_rng(seed)
    noise = [generator.normal(0, 20, (48, 48, 3)) for _ in range(10)]
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 48, 48, "yuv420p"
        for part in parts:
            for number in range(25 * PART_SECONDS):
                image = np.clip(LEVELS[part] + noise[number % 10], 0, 255).astype(np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    return path


def train_probe(clips: Path, folder: Path) -> Path:
    """A run of a frozen encoder with random weights."""
    model = {"width": 0.25, "weights": "none", "trainable": "none", "head": "probe"}
    api.train(clips, parse_recipe(TINY | {"model": model}, source="tiny"), run=folder)
    return folder
