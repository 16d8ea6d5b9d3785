"""How a clip is best shown to a frozen encoder: size, fit, frames, views. Linear probes, five folds by source group.

    python benchmarks/geometry.py CLIPS --name jhmdb-21 [--encoder movinet_a0] [--settings NAME ...] [--seeds 0 1 2]

Each clip is read and encoded once for each setting (kept in --features), and tested once for each seed of the folds, by
a probe that never saw its source; the penalty is chosen inside the training folds. --out, a CSV, gets a row for each
setting, in place of the row that it had: clips right, cross-entropy, the paired gain over the encoder's first setting
with an interval by source, and the processor time of reading and of encoding a clip on one thread. Several views are
averaged as features (before the head, also in training) or as probabilities (after it; training sees the middle one).
"""

import argparse
import csv
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from muybridge.dataset.catalog import Catalog
from muybridge.dataset.folds import group_folds
from muybridge.dataset.layouts import read_catalog
from muybridge.evaluation.intervals import Interval, bootstrap_by_group, bootstrap_gain_by_group, wilson
from muybridge.inference.calibration import most_likely_temperature
from muybridge.models.heads.probe import ProbeHead
from muybridge.models.network import build
from muybridge.recipes.model import ModelConfig
from muybridge.training.encoding import FrozenPart
from muybridge.training.probe_solving import solve, solve_path
from muybridge.video.decoding import read_sampled
from muybridge.video.fit_names import Fit
from muybridge.video.sampler import Sampler
from muybridge.video.sampling import DenseSampler, EverySampler, UniformSampler

FOLDS = 5
# Those that are ever chosen; beyond them are many iterations and no gain.
PENALTIES = tuple(float(value) for value in np.logspace(-5, -2, 7))


@dataclass(frozen=True)
class Setting:
    """How clips are shown to an encoder."""

    encoder: str
    sampler: Sampler
    size_px: int
    fit: Fit = "squash"
    views: int = 1
    mirrored: bool = False  # each view and its mirror image

    @property
    def file_name(self) -> str:
        """Of its features; the sampler's own words make it unique."""
        sampler = "-".join(str(value) for value in self.sampler.to_dict().values())
        return f"{self.encoder}-{self.fit}-{self.size_px}-{sampler}-x{self.views}{'-mirrored' * self.mirrored}.npz"


def settings_of(encoder: str) -> dict[str, Setting]:
    """What is compared, by name; the first is what the others' gain is over."""
    uniform, dense = UniformSampler, DenseSampler
    if encoder == "i3d":
        base = Setting(encoder, dense(frames=32), 160)
        return {
            "base": base,
            "crop": replace(base, fit="crop"),
            "uniform": replace(base, sampler=uniform(frames=32)),
            "224": replace(base, size_px=224),
            "224-crop": replace(base, size_px=224, fit="crop"),
            "stride-2": replace(base, sampler=dense(frames=32, stride=2)),
            "64-frames": replace(base, sampler=dense(frames=64)),
            "views-3": replace(base, views=3),
        }
    base = Setting(encoder, uniform(frames=16), 172)
    by_time = dense(frames=16, frames_per_second=5, policy="shorter")
    return {
        "base": base,
        "crop": replace(base, fit="crop"),
        "160": replace(base, size_px=160),
        "224": replace(base, size_px=224),
        "224-crop": replace(base, size_px=224, fit="crop"),
        "256-crop": replace(base, size_px=256, fit="crop"),
        "8-frames": replace(base, sampler=uniform(frames=8)),
        "8-frames-crop": replace(base, sampler=uniform(frames=8), fit="crop"),
        "8-frames-224-crop": replace(base, sampler=uniform(frames=8), size_px=224, fit="crop"),
        "32-frames": replace(base, sampler=uniform(frames=32)),
        "32-frames-crop": replace(base, sampler=uniform(frames=32), fit="crop"),
        "64-frames": replace(base, sampler=uniform(frames=64)),
        "5-a-second": replace(base, sampler=by_time),
        "5-a-second-crop": replace(base, sampler=by_time, fit="crop"),
        "5-a-second-224-crop": replace(base, sampler=by_time, size_px=224, fit="crop"),
        "5-a-second-all": replace(base, sampler=EverySampler(frames_per_second=5)),
        "10-a-second": replace(base, sampler=replace(by_time, frames_per_second=10)),
        "stride-1": replace(base, sampler=dense(frames=16)),
        "stride-2": replace(base, sampler=dense(frames=16, stride=2)),
        "mirrored": replace(base, mirrored=True),
        "mirrored-crop": replace(base, mirrored=True, fit="crop"),
        "views-3": replace(base, views=3),
        "views-3-crop": replace(base, views=3, fit="crop"),
        "views-5": replace(base, views=5),
        "views-3-stride-1": replace(base, sampler=dense(frames=16), views=3),
        "views-5-stride-1": replace(base, sampler=dense(frames=16), views=5),
    }


@dataclass(frozen=True, eq=False)
class Encoded:
    """The clips of a data set under one setting: N clips, V views, D features."""

    features_NVD: np.ndarray
    read_seconds: float  # processor time of a clip
    encode_seconds: float
    frames: float  # of a view, on average


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path)
    parser.add_argument("--name", help="of the data set in the table; default: that of the folder")
    parser.add_argument("--encoder", default="movinet_a0", choices=["movinet_a0", "i3d"])
    parser.add_argument("--settings", nargs="+", help="default: all")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0], help="of the folds")
    parser.add_argument("--features", type=Path, default=Path("runs/geometry"))
    parser.add_argument("--out", type=Path, default=Path("geometry.csv"))
    parser.add_argument("--bf16", action="store_true", help="encode as a training does where there is bf16")
    options = parser.parse_args()
    torch.set_num_threads(1)
    catalog, name = read_catalog(options.clips), options.name or options.clips.resolve().name
    known = settings_of(options.encoder)
    base, rights = next(iter(known)), {}
    net = FrozenPart(encoder_of(options.encoder), bf16=options.bf16, device=torch.device("cpu"))
    for setting_name in dict.fromkeys([base, *(options.settings or known)]):
        setting = known[setting_name]
        encoded = encoded_once(options.features / name / setting.file_name, catalog, setting, net)
        for averaged in ways(setting):
            results = [probed(catalog, setting, encoded, averaged=averaged, seed=seed) for seed in options.seeds]
            rights.setdefault(base, results)
            row = row_of(catalog, setting, encoded, results, rights[base])
            row = {"data": name, "setting": setting_name, "averaged": averaged, **row}
            keep(options.out, row)
            print(", ".join(f"{key} {value}" for key, value in row.items() if value != ""), flush=True)


def ways(setting: Setting) -> tuple[str, ...]:
    """How the views of a setting are brought together."""
    return ("features", "probabilities") if setting.views > 1 or setting.mirrored else ("",)


def encoder_of(encoder: str) -> torch.nn.Module:
    """The frozen encoder with its published weights, and what the probe sees of it."""
    output = "maps+hidden" if encoder.startswith("movinet") else "maps"
    return build(ModelConfig(encoder=encoder, encoder_output=output, head="probe"), 2).eval()


def encoded_once(path: Path, catalog: Catalog, setting: Setting, net: FrozenPart) -> Encoded:
    """The features of all clips, read from where they were kept, or made and kept."""
    if not path.exists():
        made = [encode(clip, setting, net) for clip in catalog.clips]
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(
            path,
            features_NVD=np.stack([one.features_NVD[0] for one in made]),
            read_seconds=statistics.mean(one.read_seconds for one in made),
            encode_seconds=statistics.mean(one.encode_seconds for one in made),
            frames=statistics.mean(one.frames for one in made),
        )
    with np.load(path) as kept:
        return Encoded(**{key: kept[key] if key == "features_NVD" else float(kept[key]) for key in kept})


def encode(clip, setting: Setting, net: FrozenPart) -> Encoded:
    """The mean over time of the features of each view of one clip."""
    started = time.process_time()
    sampled = read_sampled(clip.path, setting.sampler, views=setting.views, size_px=setting.size_px, fit=setting.fit)
    views = [sampled.frames_THWC[positions] for positions in sampled.views]
    read = time.process_time()
    shown = [one for view in views for one in ((view, view[:, :, ::-1]) if setting.mirrored else (view,))]
    means = [net(np.ascontiguousarray(view)[None])[0].mean(axis=0) for view in shown]
    encode_seconds = time.process_time() - read
    return Encoded(np.stack(means)[None], read - started, encode_seconds, statistics.mean(map(len, views)))


@dataclass(frozen=True, eq=False)
class Probed:
    """What probes said of clips whose sources they had not seen."""

    correct_N: np.ndarray
    cross_entropy: float


def probed(catalog: Catalog, setting: Setting, encoded: Encoded, *, averaged: str, seed: int) -> Probed:
    """Test every clip once."""
    features = torch.from_numpy(encoded.features_NVD).double()
    middle = setting.views // 2 * (2 if setting.mirrored else 1)
    if averaged == "features":
        features, middle = features.mean(dim=1, keepdim=True), 0
    middle_ND = features[:, middle]  # what training sees
    labels_N = torch.tensor([catalog.classes.index(clip.label) for clip in catalog.clips])
    groups = [clip.group for clip in catalog.clips]
    folds_N = torch.tensor(group_folds([clip.label for clip in catalog.clips], groups, count=FOLDS, seed=seed))
    probabilities_NK = torch.zeros(len(labels_N), len(catalog.classes), dtype=torch.float64)
    for fold in range(FOLDS):
        inside, outside = folds_N != fold, folds_N == fold
        head = ProbeHead(features.shape[-1]).double()
        head.standardise(middle_ND[inside])
        inputs_MD, labels_M = head.normal(middle_ND[inside]), labels_N[inside]
        penalty, temperature = chosen(inputs_MD, labels_M, [groups[i] for i in inside.nonzero()[:, 0]], seed=seed)
        weights_KD, bias_K = solve(inputs_MD, labels_M, penalty, class_count=len(catalog.classes))
        logits_OVK = functional.linear(head.normal(features[outside].flatten(0, 1)), weights_KD, bias_K)
        logits_OVK = logits_OVK.reshape(int(outside.sum()), -1, len(catalog.classes))
        probabilities_NK[outside] = (logits_OVK / temperature).softmax(dim=-1).mean(dim=1)
    correct_N = (probabilities_NK.argmax(dim=1) == labels_N).numpy()
    return Probed(correct_N, functional.nll_loss(probabilities_NK.log(), labels_N).item())


def chosen(inputs_ND: Tensor, labels_N: Tensor, groups: Sequence[str], *, seed: int) -> tuple[float, float]:
    """The penalty, and the temperature, under which clips of unseen sources are most likely."""
    folds_N = torch.tensor(group_folds([str(label) for label in labels_N.tolist()], groups, count=FOLDS, seed=seed))
    count = int(labels_N.max()) + 1
    logits_PNK = torch.zeros(len(PENALTIES), len(labels_N), count, dtype=torch.float64)
    for fold in range(FOLDS):
        inside = folds_N != fold
        solutions = solve_path(inputs_ND[inside], labels_N[inside], PENALTIES, class_count=count)
        for place, (weights_KD, bias_K) in enumerate(solutions):
            logits_PNK[place, ~inside] = functional.linear(inputs_ND[~inside], weights_KD, bias_K)
    temperatures = [most_likely_temperature(logits_NK.numpy(), labels_N.numpy()) for logits_NK in logits_PNK]
    losses = [
        functional.cross_entropy(logits_NK / temperature, labels_N).item()
        for logits_NK, temperature in zip(logits_PNK, temperatures, strict=True)
    ]
    best = int(np.argmin(losses))
    return PENALTIES[best], temperatures[best]


def row_of(
    catalog: Catalog, setting: Setting, encoded: Encoded, results: list[Probed], base: list[Probed]
) -> dict[str, object]:
    """The figures of one setting; counts and intervals are those of the first seed of the folds."""
    groups, values = [clip.group for clip in catalog.clips], setting.sampler.to_dict()
    first, rights = results[0].correct_N, [int(result.correct_N.sum()) for result in results]
    gain = bootstrap_gain_by_group(base[0].correct_N, first, groups)
    return {
        "encoder": setting.encoder,
        "fit": setting.fit,
        "size_px": setting.size_px,
        "sampler": setting.sampler.kind,
        "step": f"{values['frames_per_second']:g}/s" if "frames_per_second" in values else values.get("stride", ""),
        "frames": f"{encoded.frames:.3g}",
        "views": setting.views * (2 if setting.mirrored else 1),
        "correct": rights[0],
        "clips": len(first),
        "correct_by_seed": " ".join(map(str, rights)),
        **bounds("wilson", wilson(rights[0], len(first))),
        **bounds("group", bootstrap_by_group(first, groups).interval),
        "gain_points": f"{100 * statistics.mean(rights) / len(first) - 100 * mean_share(base):+.1f}",
        **bounds("gain", gain.interval),
        "cross_entropy": f"{statistics.mean(result.cross_entropy for result in results):.3f}",
        "read_ms": f"{1000 * encoded.read_seconds:.0f}",
        "encode_ms": f"{1000 * encoded.encode_seconds:.0f}",
    }


def mean_share(results: list[Probed]) -> float:
    """The accuracy over several seeds of the folds."""
    return statistics.mean(float(result.correct_N.mean()) for result in results)


def bounds(name: str, interval: Interval | None) -> dict[str, str]:
    """An interval's columns, in percent or points."""
    low, high = ("", "") if interval is None else (f"{100 * interval.low:.1f}", f"{100 * interval.high:.1f}")
    return {f"{name}_low": low, f"{name}_high": high}


def keep(path: Path, row: dict[str, object]) -> None:
    """Write a row to the table, in place of the one of the same setting."""
    rows = []
    if path.exists():
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    key = ("data", "encoder", "setting", "averaged")
    same = [place for place, other in enumerate(rows) if all(other[name] == str(row[name]) for name in key)]
    if same:
        rows[same[0]] = row
    else:
        rows.append(row)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(row), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
