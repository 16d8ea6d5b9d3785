"""What packing does to clips: space, pixels, and how fast frames are read.

    python benchmarks/shards.py CLIPS [--clips 60] [--frames 16] [--size-px 224]

Packs clips as they are, as JPEG and AVIF images in tar files, and as JPEG in TFRecords, into a temporary folder. For
each prints the space against that of the files, the peak signal-to-noise ratio of the frames read against those of the
files (at the size they are read in; the median over clips, and the 10 % and 90 % values), and clips read per second of
a processor.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from common import show
from muybridge import api
from muybridge.dataset.cutting import drawn
from muybridge.dataset.layouts import read_catalog
from muybridge.video.door import read_views
from muybridge.video.sampling import UniformSampler


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path)
    parser.add_argument("--clips", dest="count", type=int, default=60)
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--size-px", type=int, default=224)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        known = read_catalog(options.clips).by_id
        chosen = [known[id] for id in drawn(known, seed=0)[: options.count]]
        rows = "".join(f'"{clip.path}","{clip.label}"\n' for clip in chosen)
        (folder / "clips.csv").write_text(f"path,label\n{rows}")
        plain, bytes_plain = read(folder / "clips.csv", options, "files as they are")
        for kind, quality in (("clips", 90), ("jpeg", 90), ("jpeg", 95), ("avif", 90), ("avif", 75), ("tfrecord", 90)):
            began = time.process_time()
            packed = api.pack(folder / "clips.csv", folder / f"{kind}-{quality}", kind=kind, quality=quality)
            took = time.process_time() - began
            name = kind if kind == "clips" else f"{kind}, quality {quality}"
            frames, _ = read(packed.folder, options, name)
            print(
                f"    space {packed.size_bytes / bytes_plain:5.2f} of the files, packed in {took:.1f} s of a processor"
            )
            show("    PSNR, dB", [psnr(frames[id], plain[id]) for id in plain])


def read(clips: Path, options: argparse.Namespace, name: str) -> tuple[dict[str, np.ndarray], int]:
    """Frames of all clips by id, and what their files take; prints how fast they are read."""
    catalog = read_catalog(clips)
    sampler = UniformSampler(frames=options.frames)
    began = time.process_time()
    found = {
        clip.id: read_views(clip.path, sampler, count=1, size_px=options.size_px)[0].frames_THWC
        for clip in catalog.clips
    }
    took = time.process_time() - began
    print(f"{name:<24} {len(found) / took:6.1f} clips read per second of a processor")
    sizes = [clip.size_bytes or clip.path.stat().st_size for clip in catalog.clips]
    return found, sum(sizes)


def psnr(frames: np.ndarray, plain: np.ndarray) -> float:
    """Peak signal-to-noise ratio in decibels; 99 where nothing differs."""
    error = float(np.mean((frames.astype(np.float64) - plain) ** 2))
    return 99.0 if error == 0 else 10 * float(np.log10(255**2 / error))


if __name__ == "__main__":
    main()
