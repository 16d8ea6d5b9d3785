"""How far the source alone reveals the class: a look-up by colours, blind to motion, on the splits of runs.

python benchmarks/leak.py RUN [RUN ...]
"""

import sys
from pathlib import Path

from muybridge.dataset.split import Split
from muybridge.evaluation.intervals import wilson
from muybridge.files import read_json
from muybridge.runs import RunFolder
from muybridge.verbs.demo.colours import nearest_colours_accuracy


def main() -> None:
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    known: dict = {}
    for name in sys.argv[1:]:
        run = RunFolder.existing(Path(name))
        split = Split.load(run.split)
        share = nearest_colours_accuracy(split, known)
        interval = wilson(round(share * len(split.test)), len(split.test))
        print(
            f"{name}: protocol {split.protocol}, {len(split.test)} clips: colours alone {100 * share:.1f} % "
            f"(95 %, Wilson: {100 * interval.low:.1f}-{100 * interval.high:.1f}); leak: {read_json(run.leak)}"
        )


if __name__ == "__main__":
    main()
