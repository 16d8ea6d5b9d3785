"""How far the source alone reveals the class: a look-up by colours, blind to motion, on the splits of runs.

python benchmarks/leak.py RUN [RUN ...]
"""

import sys
from pathlib import Path

from muybridge.console import STDERR
from muybridge.dataset.split import Split
from muybridge.evaluation.intervals import wilson
from muybridge.experiment.measure_floors import cache_of, floors_of_split
from muybridge.files import read_json
from muybridge.runs import RunFolder


def main() -> None:
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    for name in sys.argv[1:]:
        run = RunFolder.existing(Path(name))
        split = Split.load(run.split)
        floors = floors_of_split(split, cache=cache_of(run.path), console=STDERR)
        if floors.colours is None:
            sys.exit(f"{name}: {floors.absent}")
        interval = wilson(floors.colours.correct, floors.colours.clips)
        print(
            f"{name}: protocol {split.protocol}, {len(split.test)} clips: colours alone {floors.colours} "
            f"(95 %, Wilson: {100 * interval.low:.1f}-{100 * interval.high:.1f}); leak: {read_json(run.leak)}"
        )


if __name__ == "__main__":
    main()
