"""What encoding once saves: an epoch on kept features against the plain path, for a frozen and a partly frozen encoder.

    python benchmarks/features.py CLIPS [--recipe mobilenet-bilstm] [--trainable none last-15] [--epochs 4]
        [--plain-epochs 1]

For each choice of what learns: seconds to encode all variants once, seconds of an epoch over all clips of CLIPS with
features kept and without (validation on 16 clips, as Lightning runs it), and the bytes kept per clip and variant.
Epochs alternate in blocks: kept, plain, kept. Pretrained weights as the recipe says.
"""

import argparse
import platform
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import torch
from rich.console import Console

from muybridge.dataset.layouts import read_catalog
from muybridge.models.network import build
from muybridge.pipeline.activations import ActivationDataset
from muybridge.pipeline.frame_cache import FrameCache
from muybridge.pipeline.loader import ClipDataset
from muybridge.recipes.store import load_recipe
from muybridge.runs import RunFolder
from muybridge.system import available_cores, resolve_device
from muybridge.training.encoding import FrozenPart
from muybridge.training.fitting import fit
from muybridge.training.precision import encodes_in_bf16


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path)
    parser.add_argument("--recipe", default="mobilenet-bilstm")
    parser.add_argument("--trainable", nargs="+", default=["none", "last-15"])
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--plain-epochs", type=int, default=1)
    parser.add_argument("--variants", type=int, default=2)
    options = parser.parse_args()
    catalog = read_catalog(options.clips)
    base = load_recipe(options.recipe)
    device = resolve_device()
    machine = f"{torch.get_num_threads()} threads, torch {torch.__version__}, {platform.machine()}"
    print(f"{len(catalog.clips)} clips; {machine}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cache = FrameCache(
            replace(base.cache, folder=str(folder / "cache")),
            sampler=base.sampler.build(),
            views=base.sampler.training_views,
            size_px=base.size_px,
        )
        cache.build(catalog.clips, workers=available_cores())
        for trainable in options.trainable:
            model = replace(base.model, trainable=trainable)
            data = {
                part: ClipDataset(
                    cache,
                    clips,
                    classes=catalog.classes,
                    augment=base.augment if part == "train" else None,
                    seed=0,
                )
                for part, clips in (("train", catalog.clips), ("validation", catalog.clips[::40]))
            }
            net = build(model, len(catalog.classes))
            frozen = FrozenPart(net, bf16=encodes_in_bf16(base.training, device), device=device)
            kept = {
                part: ActivationDataset(clips, frozen, identity=frozen.identity, variants=options.variants)
                for part, clips in data.items()
            }
            started = time.perf_counter()
            count = sum(part.build() for part in kept.values())
            seconds = time.perf_counter() - started
            sizes = [path.stat().st_size for path in cache.folder.glob("*/*.features")]
            print(
                f"model.trainable {trainable}: {net.frozen_stages} of {len(net.encoder.stages())} stages frozen; "
                f"encoding once: "
                f"{seconds:.0f} s for {count} clips and variants, {statistics.median(sizes) / 1e3:.0f} kB each"
            )

            def epochs(datasets: dict, count: int, *, model=model, trainable=trainable) -> list[float]:
                torch.manual_seed(0)
                run = RunFolder(folder / f"{trainable}-{time.perf_counter_ns()}")
                rows = fit(
                    build(model, len(catalog.classes)),
                    replace(base.training, epochs=count, head_epochs=0, patience=0),
                    train=datasets["train"],
                    validation=datasets["validation"],
                    run=run,
                    device=device,
                    console=Console(quiet=True),
                    on_epoch=lambda rows: False,
                )
                return [row["seconds"] for row in rows]

            with_features = epochs(kept, options.epochs)[1:]
            plain = epochs(data, options.plain_epochs)
            with_features += epochs(kept, options.epochs)[1:]
            fast, slow = statistics.median(with_features), statistics.median(plain)
            print(
                f"  an epoch: {fast:.2f} s on kept features ({min(with_features):.2f}-{max(with_features):.2f}), "
                f"{slow:.1f} s without: {slow / fast:.1f}x"
            )


if __name__ == "__main__":
    main()
