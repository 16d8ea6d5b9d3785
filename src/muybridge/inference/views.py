"""Test-time views: a clip is scored several times, at other moments, cut out elsewhere and mirrored.

Axes: T frames, H height, W width, C channels (RGB).
"""

from dataclasses import dataclass
from typing import Literal, get_args

from muybridge.errors import UserError
from muybridge.inference.engines.engine import Frames
from muybridge.text import counted

Crops = Literal[1, 3, 5]

# Networks for images are commonly tested on 224 px cut out of 256 (Krizhevsky et al., 2012).
_READ_SHARE = 256 / 224


@dataclass(frozen=True)
class Views:
    """Which views of each clip are scored; their number is times x crops, twice that with ``flip``.

    Attributes:
        times: Samplings of the clip, as the sampler returns them; None: as in training, one or all windows.
        crops: 1: the whole picture. 3: left, middle and right; 5: the four corners and the middle, of a picture
            that is read larger by 256/224, each of the size that the network was trained at.
        flip: Also the mirror image of each.

    Raises:
        UserError: A value makes no sense.
    """

    times: int | None = None
    crops: Crops = 1
    flip: bool = False

    def __post_init__(self) -> None:
        if self.times is not None and self.times < 1:
            raise UserError(f"views.times is {self.times}; give 1 or more")
        if self.crops not in get_args(Crops):
            raise UserError(f"views.crops is {self.crops}; give 1, 3 or 5")

    def read_size_px(self, size_px: int) -> int:
        """Side of the square that frames are read at, for a network that sees squares of ``size_px``."""
        return size_px if self.crops == 1 else round(size_px * _READ_SHARE)

    def cut(self, frames_THWC: Frames, size_px: int) -> list[Frames]:
        """All views of one sampling of a clip.

        Args:
            frames_THWC: Read at ``read_size_px(size_px)``.
            size_px: Side of the square that the network sees.

        Returns:
            frames_THWC of each view, from left to right and top to bottom, each followed by its mirror image.
        """
        height, width = frames_THWC.shape[1:3]
        bottom, right = height - size_px, width - size_px
        middle = bottom // 2, right // 2
        corners = {
            1: [middle],
            3: [(middle[0], 0), middle, (middle[0], right)],
            5: [(0, 0), (0, right), middle, (bottom, 0), (bottom, right)],
        }[self.crops]
        crops = [frames_THWC[:, top : top + size_px, left : left + size_px] for top, left in corners]
        return [view for crop in crops for view in ((crop, crop[:, :, ::-1]) if self.flip else (crop,))]

    def describe(self) -> str:
        """What is scored, in words: "3 views, 5 crops, mirrored too"; empty where it is as in training."""
        parts = [counted(self.times, "view")] if self.times is not None else []
        parts += [f"{self.crops} crops"] if self.crops > 1 else []
        parts += ["mirrored too"] if self.flip else []
        return ", ".join(parts)

    def suffix(self) -> str:
        """For names of files and folders: "-views3-crops5-flip"; empty where it is as in training."""
        parts = [f"-views{self.times}"] if self.times is not None else []
        parts += [f"-crops{self.crops}"] if self.crops > 1 else []
        parts += ["-flip"] if self.flip else []
        return "".join(parts)


AS_TRAINED = Views()
"""One view, or all windows, of the whole picture: what validation sees while training."""
