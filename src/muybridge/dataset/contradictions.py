"""The same bytes under two labels: one of the two is wrong, whatever a model says, and only the user knows which."""

from muybridge.dataset.catalog import Catalog
from muybridge.text import counted, shortened

CONTRADICTION = "WARNING, the same bytes under two labels: "
"""How each such line begins, wherever it is shown."""
_LISTED = 5


def said_of_contradictions(catalog: Catalog) -> list[str]:
    """The clips of a catalog that contradict each other, one line a set, and how many there are beyond those named."""
    found = catalog.contradictions
    lines = [
        CONTRADICTION + shortened([f"{clip.id} is {clip.label}" for clip in clips], limit=4)
        for clips in found[:_LISTED]
    ]
    if found:
        more = f" ({counted(len(found), 'set')} in all; muybridge check lists them)" if len(found) > _LISTED else ""
        lines[-1] += f"; one of them is wrong: take it out or correct it{more}"
    return lines
