"""Heads side by side on the same frozen features, each clip tested once by folds over source groups.

    python benchmarks/heads.py CLIPS --features FILE.npz [--encoder movinet_a0]    encode the clips, then compare
    python benchmarks/heads.py demo --features FILE.npz                            the demo's clips, drawn first
    python benchmarks/heads.py --features FILE.npz ... [--device cuda] [--jobs 8] [--csv ROWS.csv]

The first stage is left out where no CLIPS are named; --encode-only leaves out the second. It keeps for each clip the
tokens of the last maps, 16 frames on a grid of 2x2 places, in 16 bits. The other inputs follow from these: the
pooled maps are the mean over the places, and MoViNet's hidden layer, whose weights are in the file, is computed from
them. The second stage needs torch and numpy only (a probe: the whole package), so that it runs wherever a GPU is.

Heads, all but the first trained with one schedule for all sets (SCHEDULE: AdamW, warm-up, cosine to zero, the last
epoch is kept, inputs standardised over the training clips):
probe; mean, attentive, bilstm, lstm and bert over the steps; attentive-tokens over all places and times.

--choose SET ...: which of SETTINGS a head is trained with is chosen anew for each fold, by folds inside its training
part, of the sets named together; the test clips have no part in it. Without it: each head's setting in CHOSEN.
Seconds are CPU time of a training in one thread; on a GPU they are elapsed time.
"""

import argparse
import csv
import math
import multiprocessing
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from frozen_tokens import DEMO, GRID, Clips, encode, read_clips
from muybridge.evaluation.intervals import bootstrap_by_group, wilson
from muybridge.models.heads.attentive import AttentiveHead
from muybridge.models.heads.bert import BertHead
from muybridge.models.heads.head import MeanHead
from muybridge.models.heads.recurrent import BiLSTMHead, LSTMHead
from muybridge.models.heads.standardise import Standardise
from muybridge.training.schedule import rate_factor

FOLDS, INNER_FOLDS = 5, 2
HEADS = ("mean", "probe", "attentive", "attentive-tokens", "bilstm", "lstm", "bert")


class Setting(NamedTuple):
    """What is chosen for a head."""

    learning_rate: float
    head_dropout: float
    weight_decay: float = 0.05
    dropout: float = 0.5


@dataclass(frozen=True)
class Schedule:
    """What all heads share."""

    epochs: int = 40
    warmup_epochs: int = 2
    batch_size: int = 32
    label_smoothing: float = 0.0
    gradient_clip: float = 1.0


SCHEDULE = Schedule()
SETTINGS = tuple(
    Setting(rate, dropout, decay) for rate in (3e-4, 1e-3) for dropout in (0.0, 0.5) for decay in (0.05, 1.0)
)
CHOSEN = dict.fromkeys(HEADS, Setting(3e-4, 0.5)) | {
    "mean": Setting(1e-3, 0.0),
    "bert": Setting(3e-4, 0.5, dropout=0.8),
}
BERT_WIDTH = 256
"""Features of a step inside BERT; with all 2,528 of MoViNet's it has 28 million parameters for a few hundred clips."""

BERT_POSITION_STD = 2.0
"""Of its first positions: as large as what they are added to."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", nargs="?", help=f"a folder of clips, or {DEMO!r}")
    parser.add_argument("--features", nargs="+", type=Path, required=True, help="files of features, one a set")
    parser.add_argument("--encoder", default="movinet_a0")
    parser.add_argument("--size-px", type=int, default=172)
    parser.add_argument("--grid", type=int, default=GRID, help="places along each side of the picture")
    parser.add_argument("--encode-only", action="store_true")
    parser.add_argument("--heads", nargs="+", choices=HEADS, default=list(HEADS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--choose", nargs="+", default=[], metavar="SET", help="names of feature files without .npz")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--jobs", type=int, default=1, help="trainings at once, each in a process of its own")
    parser.add_argument("--csv", type=Path, help="where the rows of the table go, too")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.clips:
        if len(options.features) != 1:
            parser.error("name one file of features for the clips")
        encode(options.clips, options.features[0], options.encoder, size_px=options.size_px, grid=options.grid)
    if options.encode_only:
        return
    sets = {path.stem: path for path in options.features}
    if unknown := set(options.choose) - sets.keys():
        parser.error(f"--choose {', '.join(sorted(unknown))}: no such file of features")
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.jobs, mp_context=spawn, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        settings = {head: [CHOSEN[head]] * FOLDS for head in options.heads}
        if options.choose:
            chosen_on = [sets[name] for name in options.choose]
            settings |= choose(pool, chosen_on, [head for head in options.heads if head != "probe"], options.device)
        rows = []
        for figures in compare(pool, sets, settings, options.seeds, options.device):
            rows.append(figures)
            if options.csv:  # after every row, so that nothing is lost where time runs out
                write_rows(options.csv, rows)


def write_rows(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write the table so far."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


@cache
def device_inputs(path: Path, head: str, device: str) -> tuple[Tensor, Tensor, int]:
    """The inputs of a head where it is trained."""
    inputs_NLD, lengths_N, places = read_clips(path).inputs(head)
    return inputs_NLD.to(device), lengths_N, places


class Trained(NamedTuple):
    """Class scores of the clips that a head was not trained on, its size, and the seconds it took."""

    logits_MK: np.ndarray
    parameters: int
    seconds: float


def create(head: str, feature_count: int, step_count: int, places: int, dropout: float) -> nn.Module:
    """A head with its first weights."""
    if head == "mean":
        return MeanHead(feature_count)
    if head.startswith("attentive"):
        return AttentiveHead(feature_count, places, dropout=dropout)
    if head == "bert":
        return BertHead(
            feature_count,
            step_count,
            feed_forward=512,
            width=BERT_WIDTH,
            input_dropout=dropout,
            position_std=BERT_POSITION_STD,
        )
    return {"lstm": LSTMHead, "bilstm": BiLSTMHead}[head](feature_count, (256,), dropout)


def train(
    path: Path, head: str, setting: Setting, inside: list[int], outside: list[int], seed: int, device: str
) -> Trained:
    """Train a head on the clips inside, and score those outside."""
    clips = read_clips(path)
    inputs_NLD, lengths_N, places = device_inputs(path, head, device)
    clock = time.process_time if device == "cpu" else time.perf_counter
    started = clock()
    if head == "probe":
        logits_MK, parameters = probe(clips, inputs_NLD.cpu(), inside, outside)
        return Trained(logits_MK, parameters, clock() - started)
    torch.manual_seed(seed)
    norm = Standardise(inputs_NLD.shape[2]).to(device)
    norm.measure([(inputs_NLD[inside], lengths_N[inside])])
    made = create(head, inputs_NLD.shape[2], inputs_NLD.shape[1], places, setting.head_dropout)
    scores = nn.Linear(made.feature_count, clips.class_count)  # type: ignore[arg-type]
    nn.init.xavier_uniform_(scores.weight)
    nn.init.zeros_(scores.bias)
    classifier = nn.Sequential(nn.Dropout(setting.dropout), scores)
    net = nn.ModuleList([made, classifier]).to(device)
    parameters = list(net.parameters())
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": setting.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=setting.learning_rate, eps=1e-7, fused=True)
    per_epoch = math.ceil(len(inside) / SCHEDULE.batch_size)
    labels_N = clips.labels_N.to(device)
    step = 0
    for _ in range(SCHEDULE.epochs):
        for batch in torch.tensor(inside)[torch.randperm(len(inside))].split(SCHEDULE.batch_size):
            factor = rate_factor(
                step, total=SCHEDULE.epochs * per_epoch, warmup=SCHEDULE.warmup_epochs * per_epoch, kind="cosine"
            )
            for group in optimizer.param_groups:
                group["lr"] = setting.learning_rate * factor
            logits_BK = classifier(made(norm(inputs_NLD[batch]), lengths_N[batch]))
            loss = functional.cross_entropy(logits_BK, labels_N[batch], label_smoothing=SCHEDULE.label_smoothing)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(parameters, SCHEDULE.gradient_clip)
            optimizer.step()
            step += 1
    net.eval()
    with torch.no_grad():
        logits_MK = classifier(made(norm(inputs_NLD[outside]), lengths_N[outside])).cpu().numpy()
    return Trained(logits_MK, sum(p.numel() for p in made.parameters()), clock() - started)


def probe(clips: Clips, inputs_NSD: Tensor, inside: list[int], outside: list[int]) -> tuple[np.ndarray, int]:
    """Logistic regression on each clip's mean, its penalty by folds inside."""
    from muybridge.models.heads.probe import ProbeHead
    from muybridge.training.penalty_choice import choose_penalty
    from muybridge.training.probe_solving import solve

    head = ProbeHead(inputs_NSD.shape[2])
    means_ND = head.mean(inputs_NSD.double(), clips.lengths_N // clips.places)
    head.standardise(means_ND[inside])
    normal_ND, labels_N, count = head.normal(means_ND), clips.labels_N[inside], clips.class_count
    groups = [clips.groups[index] for index in inside]
    choice = choose_penalty(normal_ND[inside], labels_N, groups, class_count=count, seed=0)
    weights_KD, bias_K = solve(normal_ND[inside], labels_N, choice.penalty, class_count=count)
    return functional.linear(normal_ND[outside], weights_KD, bias_K).numpy(), 0


def choose(
    pool: ProcessPoolExecutor, paths: Sequence[Path], heads: Sequence[str], device: str
) -> dict[str, list[Setting]]:
    """The setting of each head for each fold, by folds inside its training part; of all sets together."""
    parts = []
    for path in paths:
        clips = read_clips(path)
        outer_N = clips.folds(range(len(clips.groups)), FOLDS, 0)
        for fold in range(FOLDS):
            part = np.flatnonzero(outer_N != fold)
            inner_M = clips.folds(part.tolist(), INNER_FOLDS, 1)
            parts += [(path, fold, part[inner_M != inner], part[inner_M == inner]) for inner in range(INNER_FOLDS)]
    jobs = {
        (head, setting, number): pool.submit(train, path, head, setting, inside.tolist(), outside.tolist(), 0, device)
        for head in heads
        for number, (path, _, inside, outside) in enumerate(parts)
        for setting in SETTINGS
    }
    chosen = {}
    for head in heads:
        # The mean over sets: each counts alike, however many clips it has.
        right: Counter[tuple[Setting, int]] = Counter()
        for number, (path, fold, inside, outside) in enumerate(parts):
            labels_M = read_clips(path).labels_N[outside].numpy()
            clips_inside = len(inside) + len(outside)
            for setting in SETTINGS:
                predicted_M = jobs[head, setting, number].result().logits_MK.argmax(axis=1)
                right[setting, fold] += (predicted_M == labels_M).sum() / clips_inside / len(paths)
        chosen[head] = [max(SETTINGS, key=lambda setting, fold=fold: right[setting, fold]) for fold in range(FOLDS)]
        print(f"{head}: accuracy inside the training parts; learning rate, head dropout, weight decay")
        means = {setting: sum(right[setting, fold] for fold in range(FOLDS)) / FOLDS for setting in SETTINGS}
        for setting in sorted(SETTINGS, key=lambda setting: -means[setting]):
            of = chosen[head].count(setting)
            print(f"  {100 * means[setting]:5.1f} %  {tuple(setting)}  chosen in {of} of {FOLDS} folds", flush=True)
    return chosen


def compare(
    pool: ProcessPoolExecutor,
    sets: dict[str, Path],
    settings: dict[str, list[Setting]],
    seeds: Sequence[int],
    device: str,
) -> Iterator[dict[str, Any]]:
    """Test every clip once for each head and seed; yields the rows of the table."""
    jobs: dict[tuple[str, str], list[tuple[int, np.ndarray, Any]]] = {}
    for name, path in sets.items():
        clips = read_clips(path)
        outer_N = clips.folds(range(len(clips.groups)), FOLDS, 0)
        for head, chosen in settings.items():
            for seed in seeds if head != "probe" else seeds[:1]:
                for fold in range(FOLDS):
                    inside, outside = np.flatnonzero(outer_N != fold), np.flatnonzero(outer_N == fold)
                    job = pool.submit(train, path, head, chosen[fold], inside.tolist(), outside.tolist(), seed, device)
                    jobs.setdefault((name, head), []).append((seed, outside, job))
    for (name, head), parts in jobs.items():
        figures = row(name, read_clips(sets[name]), head, settings[head], parts)
        print("  ".join(f"{key} {value}" for key, value in figures.items() if value != ""), flush=True)
        yield figures


def row(
    name: str, clips: Clips, head: str, chosen: Sequence[Setting], parts: list[tuple[int, np.ndarray, Any]]
) -> dict[str, Any]:
    """The figures of a head on a set: the mean over the seeds; source groups are resampled with the clips of all."""
    seeds = sorted({seed for seed, _, _ in parts})
    predicted_RN = np.full((len(seeds), len(clips.groups)), -1)
    trained = []
    for seed, outside, job in parts:
        trained.append(job.result())
        predicted_RN[seeds.index(seed), outside] = trained[-1].logits_MK.argmax(axis=1)
    labels_N = clips.labels_N.numpy()
    right_RN = predicted_RN == labels_N
    count, correct = len(labels_N), round(right_RN.sum() / len(seeds))
    interval = wilson(correct, count)
    by_group = bootstrap_by_group(right_RN.flatten(), list(clips.groups) * len(seeds))
    figures: dict[str, Any] = {
        "set": name,
        "head": head,
        "input": describe_input(clips, head),
        "parameters": trained[0].parameters,
        "correct": correct,
        "clips": count,
        "percent": f"{100 * right_RN.mean():.1f}",
        "wilson_low": f"{100 * interval.low:.1f}",
        "wilson_high": f"{100 * interval.high:.1f}",
        "group_low": f"{100 * by_group.interval.low:.1f}" if by_group.interval else "",
        "group_high": f"{100 * by_group.interval.high:.1f}" if by_group.interval else "",
        "groups": by_group.groups,
        "percent_by_seed": " ".join(f"{100 * share:.1f}" for share in right_RN.mean(axis=1)),
        "seconds": f"{np.median([each.seconds for each in trained]):.1f}",
        "setting": "" if head == "probe" else " ".join(str(value) for value in Counter(chosen).most_common(1)[0][0]),
        "pair_correct": "",
        "pair_named": "",
    }
    if (clips.mirrors_K >= 0).any():
        mirror_N = clips.mirrors_K[labels_N]
        named_RN = (mirror_N >= 0) & (right_RN | (predicted_RN == mirror_N))
        figures["pair_correct"] = int((named_RN & right_RN).sum())
        figures["pair_named"] = int(named_RN.sum())
    return figures


def describe_input(clips: Clips, head: str) -> str:
    """What a head reads, in words."""
    length, features = clips.tokens_NLD.shape[1:]
    if head == "attentive-tokens":
        return f"{length} tokens of {features}"
    return f"{length // clips.places} steps of {features + (len(clips.layer['hidden_H']) if clips.layer else 0)}"


if __name__ == "__main__":
    main()
