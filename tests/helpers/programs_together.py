"""Programs for several processes that work together: ``python -m tests.helpers.programs_together NAME FOLDER``."""

import pickle
import sys
import time
from pathlib import Path

from muybridge import ranks
from muybridge.errors import UserError


class Touching:
    """What makes a file when it is unpickled."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self):
        return Path.touch, (self.file,)


def listening() -> list[str]:
    """The addresses at which this process listens, as /proc writes them."""
    own = set()
    for link in Path("/proc/self/fd").iterdir():
        try:
            own.add(str(link.readlink()))
        except FileNotFoundError:  # the one that listed them
            continue
    found = []
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/self/net/{table}").read_text().splitlines()[1:]:
            words = line.split()
            if words[3] == "0A" and f"socket:[{words[9]}]" in own:
                found.append(words[1].partition(":")[0])
    return found


def is_told(folder: Path) -> None:
    """A stranger who reaches the first process's port says something in its name."""
    import torch.distributed as dist

    (folder / "listening").write_text(" ".join(listening()))
    stranger = dist.TCPStore("127.0.0.1", ranks._group.store.port, is_master=False)
    stranger.set("order0", pickle.dumps(Touching(folder / "ran")))
    time.sleep(10)  # it is ended meanwhile
    ranks.together(print, "nothing")


def refuse() -> None:
    """Bad input that all see."""
    raise UserError("all refuse")


def refuse_one(number: int) -> None:
    """Bad input that one process sees, while the others wait for it."""
    if ranks.rank() == number:
        raise UserError(f"{number} refuses")
    ranks.barrier()


def tidies_up(folder: Path, function, *args: object) -> None:
    """The first process has much to do behind an error."""
    try:
        ranks.together(function, *args)
    except UserError as error:
        (folder / "said").write_text(str(error))
        raise
    finally:
        time.sleep(1.5)
        (folder / "tidy").touch()


PROGRAMS = {
    "told": is_told,
    "all": lambda folder: tidies_up(folder, refuse),
    "one": lambda folder: tidies_up(folder, refuse_one, 1),
}

if __name__ == "__main__":
    name, place = sys.argv[1], Path(sys.argv[2])
    ranks.join(cuda=False)
    try:
        ranks.as_group(lambda: PROGRAMS[name](place))
    except UserError as error:
        sys.exit(f"{error}")
