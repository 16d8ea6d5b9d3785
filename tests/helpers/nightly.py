"""How many cases a test of robustness tries: a few in the suite, many in the nightly command."""

import os

NIGHTLY = os.environ.get("MUYBRIDGE_NIGHTLY") == "1"


def cases(few: int, many: int) -> range:
    """Seeds: ``few`` of them in the suite, ``many`` where MUYBRIDGE_NIGHTLY is 1."""
    return range(many if NIGHTLY else few)
