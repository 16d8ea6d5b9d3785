"""A probe on many clips, streamed from a file: seconds a walk through all features, and the memory that it takes.

    python benchmarks/large_probe.py --clips 100000

Features are random numbers around one centre a class (no encoder is run); what is timed is what ``train`` does with
kept features from there on: standardising, and full-batch L-BFGS with sums over blocks.
"""

import argparse
import tempfile
import time
from pathlib import Path

import torch

from muybridge.models.heads.probe import ProbeHead
from muybridge.system import peak_memory
from muybridge.training.probe_blocks import FeatureFile, figures, standardise
from muybridge.training.probe_solving import descend


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=100_000)
    parser.add_argument("--features", type=int, default=2528, help="2528: I3D and MoViNet-A0 side by side")
    parser.add_argument("--classes", type=int, default=51)
    parser.add_argument("--penalty", type=float, default=1e-4)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    options = parser.parse_args()
    count, width, classes = options.clips, options.features, options.classes
    generator = torch.Generator().manual_seed(0)
    centres_KD = torch.randn(classes, width, generator=generator)
    before = peak_memory() or 0
    file, head = FeatureFile(options.folder, width, count), ProbeHead(width).double()
    began = time.perf_counter()
    for start in range(0, count, 1000):
        labels_B = torch.arange(start, min(start + 1000, count)) % classes
        noise_BD = torch.randn(len(labels_B), width, generator=generator)
        file.append(0.2 * centres_KD[labels_B] + noise_BD, labels_B)
    print(f"written: {4 * count * width / 1e9:.1f} GB in {time.perf_counter() - began:.0f} s")
    began = time.perf_counter()
    standardise(head, file)
    file.standardised_by(head)
    print(f"standardised in {time.perf_counter() - began:.0f} s")
    walks = 0

    def blocks():
        nonlocal walks
        walks += 1
        return file.blocks()

    began = time.perf_counter()
    zeros_KD = torch.zeros(classes, width, dtype=torch.float64)
    weights_KD, bias_K = descend(blocks, count, options.penalty, zeros_KD, zeros_KD[:, 0].clone())
    seconds = time.perf_counter() - began
    loss, accuracy = figures(file, weights_KD, bias_K)
    print(
        f"solved in {seconds:.0f} s: {walks} walks of {seconds / walks:.1f} s; loss {loss:.4f}, accuracy {accuracy:.3f}"
    )
    peak = peak_memory() or 0
    print(f"peak memory: {peak / 1e9:.2f} GB, {(peak - before) / 1e9:.2f} GB of it for this")


if __name__ == "__main__":
    main()
