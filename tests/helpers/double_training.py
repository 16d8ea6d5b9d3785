"""A program: trains in float64 whatever it is told to, once for each line of flags in a file.

In double precision what several processes compute and what one computes differ in the last digits only.
"""

import sys
from pathlib import Path

import torch

if __name__ == "__main__":
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)

    from muybridge import api
    from tests.helpers.clips import tiny_recipe

    clips, runs = sys.argv[1:3]
    for line in Path("flags").read_text().splitlines():
        name, *flags = line.split()
        api.train(clips, tiny_recipe(*flags), run=Path(runs) / name)
