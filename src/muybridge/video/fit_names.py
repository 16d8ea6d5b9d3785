"""The ways in which a picture becomes a square, by name. Free of numpy: the command line reads them for its help."""

from typing import Literal

Fit = Literal["squash", "crop"]
