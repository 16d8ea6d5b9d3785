"""What a process runs that ``train`` started: ``python -m muybridge.verbs.train.process``."""

import ctypes
import os
import pickle
import signal
import sys
from pathlib import Path

from muybridge import stopping

_SIGNAL_AT_PARENTS_END = 1  # prctl.h


def main() -> None:
    """Make the call that the starting process left, and hand its outcome back."""
    if sys.platform.startswith("linux"):  # whoever started it may be killed, and then nobody waits for it
        ctypes.CDLL(None).prctl(_SIGNAL_AT_PARENTS_END, signal.SIGTERM)
    stopping.answer_as_ctrl_c()
    from muybridge.errors import Interrupted, UserError
    from muybridge.verbs.train.processes import FOLDER, hand_back

    code = 0
    try:
        outcome: object = pickle.loads((Path(os.environ[FOLDER]) / "call").read_bytes()).make()
    except (UserError, Interrupted, KeyboardInterrupt) as error:
        outcome, code = error, 2
    stopping.ignore_all()
    hand_back(outcome)
    sys.exit(code)


if __name__ == "__main__":
    main()
