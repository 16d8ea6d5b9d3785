"""The ways in which a picture becomes a square, by name. Free of numpy: the command line reads them for its help."""

from typing import Literal, get_args

from muybridge.errors import UserError
from muybridge.text import did_you_mean

Fit = Literal["squash", "crop"]


def check_fit(fit: str) -> None:
    """Refuse a name that is none.

    Raises:
        UserError: With the right one.
    """
    if fit not in get_args(Fit):
        raise UserError(f"fit is {fit!r}{did_you_mean(str(fit), get_args(Fit))}")
