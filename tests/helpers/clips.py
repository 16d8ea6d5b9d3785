"""Small real data sets for tests of whole jobs."""

from pathlib import Path

import av
import numpy as np

from muybridge.recipes.recipe import Recipe
from muybridge.recipes.store import parse_recipe

CLASSES = ("dim", "bright")


def write_clip(path: Path, *, level: int, seed: int, frames: int = 12) -> None:
    """A clip of noise around a grey level, as an MPEG-4 file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(seed)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 48, 48, "yuv420p"
        for _ in range(frames):
            image = np.clip(generator.normal(level, 20, (48, 48, 3)), 0, 255).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())


def write_clips(folder: Path, *, groups: int = 6, per_group: int = 2) -> Path:
    """A folder of easily separated classes: ``folder/<class>/v_<class>_gNN_cNN.avi``."""
    for number, name in enumerate(CLASSES):
        for group in range(groups):
            for clip in range(per_group):
                write_clip(
                    folder / name / f"v_{name}_g{group + 1:02}_c{clip + 1:02}.avi",
                    level=70 + 110 * number,
                    seed=1000 * number + 10 * group + clip,
                )
    return folder


TINY = {
    "name": "tiny",
    "size_px": 32,
    "sampler": {"frames": 4},
    "model": {"width": 0.25, "weights": "none", "head_widths": [16], "dense_widths": [], "dropout": 0.2},
    "training": {"epochs": 4, "learning_rate": 3e-3, "encoder_rate": 1.0, "head_epochs": 0, "workers": 0},
}


def tiny_recipe(*flags: str) -> Recipe:
    """A recipe that trains in a few seconds."""
    return parse_recipe(TINY, source="tiny", flags=flags)
