"""Small real video files, made with PyAV."""

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from muybridge.dataset.catalog import Clip

MakeClip = Callable[..., Clip]


@pytest.fixture
def make_clip(tmp_path: Path) -> MakeClip:
    """Returns make(name, frames, seed, label): a clip of smooth random frames as an MPEG-4 file."""

    def make(name: str, *, frames: int = 20, seed: int = 0, label: str = "a", group: str = "g") -> Clip:
        path = tmp_path / "clips" / name
        path.parent.mkdir(exist_ok=True)
        generator = np.random.default_rng(seed)
        with av.open(str(path), "w") as container:
            stream = container.add_stream("mpeg4", rate=25)
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
            for _ in range(frames):
                image = np.kron(generator.integers(0, 255, (6, 8, 3)), np.ones((8, 8, 1))).astype(np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
            container.mux(stream.encode())
        return Clip(path=path, label=label, group=group, root=path.parent)

    return make
