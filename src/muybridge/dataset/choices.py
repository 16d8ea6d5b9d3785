"""The choices of options that say how clips are read, in a module of their own: help needs no more than these."""

from typing import Literal

AlikeLabels = Literal["ask", "join", "keep"]
"""What becomes of labels that look alike: an error, one label, or different labels."""

Background = Literal["none", "auto", "all"]
"""How much time without a segment becomes clips, see `background`: no clip; as many as the median class has; all."""
