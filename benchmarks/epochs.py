"""CPU time per clip of an epoch after the first: the paper's data path against the cache.

    pip install scipy
    python benchmarks/epochs.py CLIPS [--frames 16] [--size-px 224] [--clips 40] [--rounds 3] [--data-wait]

The paper's path is that of keras-video-generators with keras-preprocessing: OpenCV decodes a clip up to its last
chosen frame, the chosen ones are resized and turned into floats between 0 and 1, and one random affine map is applied
by scipy to every channel of every frame. Ours reads the cached frames and warps them. Both take the same clips in
turns, in one process; the time of all its threads counts. Pixels stay whole numbers in ours, which costs the network's
scaling 1/255 later: that is timed too and added.

With --data-wait also the share of a training step that waits for data, by ``muybridge train --profile``.
"""

import argparse
import json
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch

from common import show
from muybridge.dataset.layouts import read_catalog
from muybridge.pipeline.frame_cache import FrameCache
from muybridge.pipeline.loader import ClipDataset
from muybridge.recipes.augment import AugmentConfig
from muybridge.recipes.cache import CacheConfig
from muybridge.sequences import spread
from muybridge.system import keep_freed_memory
from muybridge.video.sampling import UniformSampler

RANGES = AugmentConfig(zoom=0.1, flip=True, rotation_degrees=20, shift=0.2, brightness=0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path)
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--size-px", type=int, default=224)
    parser.add_argument("--clips", dest="count", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--data-wait", action="store_true")
    options = parser.parse_args()
    import scipy

    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    keep_freed_memory()  # as training does
    catalog = read_catalog(options.clips)
    chosen = spread(catalog.clips, options.count)
    print(f"{len(chosen)} clips, {options.frames} frames of {options.size_px} px, {options.rounds} rounds;")
    print(
        f"OpenCV {cv2.__version__}, scipy {scipy.__version__}, numpy {np.__version__}, "
        f"Python {platform.python_version()}"
    )
    with tempfile.TemporaryDirectory() as folder:
        sampler = UniformSampler(frames=options.frames)
        cache = FrameCache(CacheConfig(folder=folder), sampler=sampler, views=3, size_px=options.size_px)
        cache.build(chosen, workers=1)
        data = ClipDataset(cache, chosen, classes=catalog.classes, augment=RANGES, seed=0)
        for index in range(len(chosen)):
            data[0, index]  # the first epoch checks each file's checksum
        ours: list[float] = []
        scaled: list[float] = []
        theirs: list[float] = []
        decoded: list[float] = []
        for epoch in range(1, options.rounds + 1):
            for index, clip in enumerate(chosen):
                milliseconds, item = cpu_time(lambda epoch=epoch, index=index: data[epoch, index])
                ours.append(milliseconds)
                scaling, _ = cpu_time(lambda item=item: torch.from_numpy(item.frames_THWC).mul(1 / 255))
                scaled.append(milliseconds + scaling)
                reading, frames = cpu_time(
                    lambda clip=clip: read_as_paper(clip.path, frames=options.frames, size_px=options.size_px)
                )
                generator = np.random.default_rng([epoch, index])
                warping, _ = cpu_time(
                    lambda frames=frames, generator=generator: augment_as_paper(frames, RANGES, generator)
                )
                decoded.append(reading)
                theirs.append(reading + warping)
    print("CPU ms per clip                     median    10 %    90 %")
    show("the paper's path", theirs)
    show("  of which decoding, resizing", decoded)
    show("the cache, warped", ours)
    show("the same, with 1/255", scaled)
    for name, values in (("the cache, warped", ours), ("the same, with 1/255", scaled)):
        ratios = [a / b for a, b in zip(theirs, values, strict=True)]
        print(f"paper / {name}: {statistics.median(ratios):.1f} (median over pairs)")
    if options.data_wait:
        show_waiting(options)


def cpu_time(work: Callable[[], Any]) -> tuple[float, Any]:
    """CPU milliseconds of all threads, and what the work returned."""
    started = time.process_time()
    result = work()
    return 1000 * (time.process_time() - started), result


def read_as_paper(path: Path, *, frames: int, size_px: int) -> npt.NDArray[np.float32]:
    """Decode until the last chosen frame; resize, convert and scale the chosen ones."""
    video = cv2.VideoCapture(str(path))
    total = int(video.get(cv2.CAP_PROP_FRAME_COUNT))
    step = max(1, (total + total % 2) // (frames - 1))
    chosen: list[npt.NDArray[np.float32]] = []
    number = 0
    while len(chosen) < frames:
        grabbed, frame = video.read()
        if not grabbed:
            break
        number += 1
        if number == 1 or number % step == 0 or number == total:
            frame = cv2.cvtColor(cv2.resize(frame, (size_px, size_px)), cv2.COLOR_BGR2RGB)
            chosen.append(np.asarray(frame, dtype=np.float32) * (1 / 255))
    video.release()
    return np.array(chosen)


def augment_as_paper(
    frames_THWC: npt.NDArray[np.float32], ranges: AugmentConfig, generator: np.random.Generator
) -> npt.NDArray[np.float32]:
    """One draw of rotation, shift, zoom and flip, applied by scipy to each channel of each frame."""
    from scipy import ndimage

    height, width = frames_THWC.shape[1:3]
    angle = np.deg2rad(generator.uniform(-1, 1) * ranges.rotation_degrees)
    shift = generator.uniform(-1, 1, 2) * ranges.shift * (height, width)
    zoom = 1 + generator.uniform(-1, 1, 2) * ranges.zoom
    rotation = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    shifting = np.array([[1, 0, shift[0]], [0, 1, shift[1]], [0, 0, 1]])
    matrix = rotation @ shifting @ np.diag([*zoom, 1])
    centre = np.array([[1, 0, height / 2 - 0.5], [0, 1, width / 2 - 0.5], [0, 0, 1]])
    matrix = centre @ matrix @ np.linalg.inv(centre)
    mirror = generator.random() < 0.5
    warped = []
    for frame_HWC in frames_THWC:
        channels = [
            ndimage.affine_transform(channel_HW, matrix[:2, :2], matrix[:2, 2], order=1, mode="nearest")
            for channel_HW in np.rollaxis(frame_HWC, 2, 0)
        ]
        result_HWC = np.rollaxis(np.stack(channels, axis=0), 0, 3)
        warped.append(result_HWC[:, ::-1] if mirror else result_HWC)
    return np.array(warped)


def show_waiting(options: argparse.Namespace) -> None:
    """The share of a training step that waits for data, full fine-tune and mobilenet-bilstm."""
    for name in ("report-mobilenet", "mobilenet-bilstm"):
        command = [sys.executable, "-m", "muybridge", "train", str(options.clips), "--recipe", name, "--profile"]
        command += ["--frames", str(options.frames), "--size-px", str(options.size_px), "--json"]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        share = json.loads(done.stdout)["phases"]["waiting for data"]["share"]
        print(f"{name}: waiting for data is {100 * share:.1f} % of a training step")


if __name__ == "__main__":
    main()
