"""Changes one file of a run at a time, uses the run in every way, and prints what went wrong.

    python -m tests.robustness.try_run_files RUNS VIDEO FIRST_SEED END_SEED

The last line is the number of changes tried and the most memory that was held, in bytes.
"""

import contextlib
import json
import random
import resource
import shutil
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from tests.helpers.mutations import mutated

from muybridge import api
from muybridge.reporting.job import report
from muybridge.schemas import sealed
from muybridge.system import peak_memory
from muybridge.verbs.evaluate import evaluate
from muybridge.verbs.list_runs import list_runs
from muybridge.verbs.predict.job import predict

QUIET = Console(quiet=True)
MOST_DATA_BYTES = 3 << 30
"""A process that wants more is stopped by the system, before the machine is."""


def main(runs: Path, video: Path, first: int, end: int) -> int:
    resource.setrlimit(resource.RLIMIT_DATA, (MOST_DATA_BYTES, MOST_DATA_BYTES))
    files = sorted(path for path in runs.rglob("*") if path.is_file() and path.suffix not in (".png", ".html", ".lock"))
    pristine = runs.with_name(f"{runs.name}-pristine")
    shutil.copytree(runs, pristine)
    wrong = 0
    for seed in range(first, end):
        random_ = random.Random(seed)
        path = random_.choice(files)
        content = path.read_bytes()
        path.write_bytes(mutated(path.suffix, content, random_))
        if path.suffix == ".json" and random_.random() < 0.7:
            seal_again(path)
        try:
            for use in uses(runs / path.relative_to(runs).parts[0], video):
                try:
                    use()
                except api.UserError as error:
                    if "\n" in str(error) or len(str(error)) > 2000:
                        print(f"seed {seed}, {path}: {len(str(error))} characters: {str(error)[:300]!r}")
                        wrong += 1
                except Exception:
                    print(f"seed {seed}, {path}:\n{traceback.format_exc(limit=-6)}")
                    wrong += 1
        finally:
            # A resume writes, too.
            run = path.relative_to(runs).parts[0]
            shutil.rmtree(runs / run)
            shutil.copytree(pristine / run, runs / run)
    print(end - first, peak_memory())
    return wrong


def seal_again(path: Path) -> None:
    """Put the right checksum into a file that holds one, as whoever writes a file on purpose would."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        return
    if isinstance(values, dict) and "checksum" in values:
        del values["checksum"]
        with contextlib.suppress(ValueError, RecursionError):
            path.write_text(json.dumps(sealed(values)), encoding="utf-8")


def uses(run: Path, video: Path) -> list[Callable[[], Any]]:
    """What a user does with a run."""
    ways: list[Callable[[], Any]] = [
        lambda: list(predict(run, [video], device="cpu", console=QUIET)),
        lambda: evaluate(run, device="cpu", out=run.parent / "out", console=QUIET),
        lambda: report([run], out=run.parent / "report.html", console=QUIET),
        lambda: str(list_runs(run.parent)),
    ]
    if run.name != "ensemble":
        ways.append(lambda: api.load_recipe(str(run / "recipe.yaml")))
        ways.append(lambda: api.resume(run, device="cpu", console=QUIET))
    return ways


if __name__ == "__main__":
    sys.exit(1 if main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])) else 0)
