"""The scores that each recipe computes for three fixed clips, to be compared between two states of the code.

python benchmarks/same_scores.py CLIPS > before.json     # at one commit: PYTHONPATH=OTHER/src takes another checkout
python benchmarks/same_scores.py CLIPS > after.json      # at another, on the same machine
python benchmarks/same_scores.py --compare before.json after.json

Every recipe is trained for an epoch on twelve clips (two classes, six source groups, one thread), and its model scores
three other clips: the whole road from file to answer. Scores are printed as hexadecimal floats, so equal means equal
in every bit. CLIPS is a folder with a sub-folder per class, such as ten classes of UCF101. A recipe whose weights
cannot be had starts from nothing, and says so. Only names that every commit has are imported.
"""

import argparse
import csv
import json
import os
import sys
import tempfile
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # sums are added in the same order

RECIPES = ("default", "mobilenet-bilstm", "i3d-bert", "mobilenet-light", "report-alexnet", "report-densenet")
RECIPES += ("report-mobilenet", "report-mobilenet-small")
CLASSES, GROUPS, SCORED = 2, 6, 3


def chosen_clips(clips: Path) -> tuple[list[Path], list[Path]]:
    """Clips to train on, one a group, and three to score."""
    train, scored = [], []
    for folder in sorted(path for path in clips.iterdir() if path.is_dir())[:CLASSES]:
        first = {path.stem.split("_g")[-1][:2]: path for path in sorted(folder.iterdir(), reverse=True)}
        files = [first[group] for group in sorted(first)]
        train += files[:GROUPS]
        scored += files[GROUPS : GROUPS + 2]
    return train, scored[:SCORED]


def scores_of(recipe_name: str, train: list[Path], scored: list[Path], folder: Path) -> dict[str, object] | None:
    """Train a recipe and score the clips; None where there is no recipe of the name."""
    import muybridge
    from muybridge.errors import UserError

    table = folder / "clips.csv"
    with table.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "label", "group", "split"])
        for number, path in enumerate(train):
            writer.writerow([path, path.parent.name, path.stem, "validation" if number % GROUPS == 0 else "train"])
    flags = ["--protocol", "given", "--epochs", "1", "--training.workers", "0", "--cache.folder", str(folder / "cache")]
    run, begun = folder / recipe_name, "published weights"
    try:
        recipe = muybridge.load_recipe(recipe_name, flags=flags)
    except UserError:
        return None  # this commit has no recipe of the name
    try:
        muybridge.train(table, recipe, run=run)
    except UserError as error:
        if "weights" not in str(error):
            raise
        begun = "no weights"
        muybridge.train(table, muybridge.load_recipe(recipe_name, flags=[*flags, "--weights", "none"]), run=run)
    model = muybridge.load(run)
    scores = {path.name: {label: p.hex() for label, p in sorted(model.predict(path).ranking)} for path in scored}
    return {"begun_with": begun, "scores": scores}


def compare(before: Path, after: Path) -> None:
    """Say for each recipe whether the scores are the same bits; exit code 1 if some are not."""
    first, second = json.loads(before.read_text()), json.loads(after.read_text())
    different = 0
    for name in sorted(first.keys() & second.keys()):
        same = first[name] == second[name]
        different += not same
        print(f"{name:<24} {'equal' if same else 'DIFFERENT'}  ({first[name]['begun_with']})")
    for name in sorted(first.keys() ^ second.keys()):
        print(f"{name:<24} only in {before if name in first else after}")
    sys.exit(1 if different else 0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path, nargs="?")
    parser.add_argument("--compare", type=Path, nargs=2, metavar=("BEFORE", "AFTER"))
    parser.add_argument("--recipes", nargs="+", default=RECIPES)
    arguments = parser.parse_args()
    if arguments.compare:
        compare(*arguments.compare)
    train, scored = chosen_clips(arguments.clips.resolve())
    with tempfile.TemporaryDirectory() as folder:
        found = {name: scores_of(name, train, scored, Path(folder)) for name in arguments.recipes}
    print(json.dumps({name: scores for name, scores in found.items() if scores}, indent=1))
