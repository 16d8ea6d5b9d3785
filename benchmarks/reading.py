"""CPU time per clip to read and augment training clips: the cache against decoding in every epoch.

    python benchmarks/reading.py CLIPS [--frames 16] [--size-px 112] [--clips 100] [--epochs 4]

Prints, for each epoch, the CPU time per clip in milliseconds (median and spread over clips), measured in one process
with one thread, and the same for the path that decodes every clip in every epoch, in turns in the same run.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import torch

from common import show
from muybridge.dataset.layouts import read_catalog
from muybridge.pipeline.augmentation import augment
from muybridge.pipeline.frame_cache import FrameCache
from muybridge.pipeline.loader import ClipDataset
from muybridge.recipes.augment import AugmentConfig
from muybridge.recipes.cache import CacheConfig
from muybridge.sequences import spread
from muybridge.system import processor_name
from muybridge.video.decoding import read_sampled
from muybridge.video.sampling import UniformSampler


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path)
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--size-px", type=int, default=112)
    parser.add_argument("--clips", dest="count", type=int, default=100)
    parser.add_argument("--epochs", type=int, default=4)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)

    catalog = read_catalog(options.clips)
    chosen = spread(catalog.clips, options.count)
    sampler = UniformSampler(frames=options.frames)
    print(f"{len(chosen)} clips, {options.frames} frames of {options.size_px} px, {processor_name()}")
    print("CPU ms per clip                     median    10 %    90 %")
    with tempfile.TemporaryDirectory() as folder:
        cache = FrameCache(CacheConfig(folder=folder), sampler=sampler, views=3, size_px=options.size_px)
        started = time.process_time()
        cache.build(chosen, workers=1)
        print(f"decode once (3 views)              {1000 * (time.process_time() - started) / len(chosen):7.1f} (mean)")
        data = ClipDataset(cache, chosen, classes=catalog.classes, augment=AugmentConfig(), seed=0)
        ratios = []
        for epoch in range(1, options.epochs + 1):
            cached, decoded = [], []
            for index, clip in enumerate(chosen):
                started = time.process_time()
                data[epoch, index]
                cached.append(1000 * (time.process_time() - started))
                started = time.process_time()
                frames = read_sampled(clip.path, sampler, size_px=options.size_px).frames_THWC
                augment(frames, AugmentConfig(), np.random.default_rng(epoch), may_flip=True)
                decoded.append(1000 * (time.process_time() - started))
            show(f"epoch {epoch}: cache", cached)
            show(f"epoch {epoch}: decode", decoded)
            ratios.append(statistics.median(decoded) / statistics.median(cached))
    print(f"decoding costs {statistics.median(ratios[1:]):.0f} times the cache (median of epochs after the first)")


if __name__ == "__main__":
    main()
