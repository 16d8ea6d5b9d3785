"""The fields that samplers have, by one name each in Python, YAML and flags, and the values that they may take.

Free of numpy: the command line reads it for its help, and checks options before anything heavy is imported.
"""

from collections.abc import Mapping
from typing import Any, Literal, get_args

from muybridge.errors import UserError
from muybridge.text import did_you_mean

SamplerKind = Literal["uniform", "every", "dense", "sliding"]
Policy = Literal["repeat_last", "wrap", "shorter", "error"]
UniformRule = Literal["even", "paper"]

_CHOICES = {"kind": get_args(SamplerKind), "policy": get_args(Policy), "rule": get_args(UniformRule)}
_LEAST = {"frames": 1, "every": 1, "stride": 1, "hop": 1}
_MOST = {"frames": 4096, "every": 1_000_000, "stride": 1_000_000, "hop": 1_000_000}
MOST_RATE = 1000

MOST_SIZE_PX = 2048
MOST_CLIP_PIXELS = 1 << 25
"""Of all frames of a view together: 128 frames of 512 px, or 668 of 224 px."""


def check_sampler_values(values: Mapping[str, Any]) -> None:
    """Check a sampler's fields; one that is missing, or None, is not checked.

    Args:
        values: ``kind`` and any of ``policy``, ``rule``, ``frames``, ``frames_per_second``, ``every``, ``stride`` and
            ``hop``.

    Raises:
        UserError: For a value that makes no sense; the message names the field as ``sampler.FIELD``.
    """
    given = {name: value for name, value in values.items() if value is not None}
    for name, choices in _CHOICES.items():
        if name in given and given[name] not in choices:
            raise UserError(f"sampler.{name} is {given[name]!r}{did_you_mean(str(given[name]), choices)}")
    least = dict(_LEAST)
    if given["kind"] == "every":
        least["frames"] = 0  # no limit
    if given["kind"] == "uniform" and given.get("rule") == "paper":
        least["frames"] = 2  # its step is a division by one frame less
    for name, minimum in least.items():
        value = given.get(name, minimum)
        if not isinstance(value, int) or isinstance(value, bool) or value < minimum:
            raise UserError(f"sampler.{name} is {value!r}; give a whole number of {minimum} or more")
        if value > _MOST[name]:
            raise UserError(f"sampler.{name} is {value}; give at most {_MOST[name]}")
    _check_rate(given)


def _check_rate(given: Mapping[str, Any]) -> None:
    """Check ``frames_per_second``, alone and with what it takes the place of."""
    rate = given.get("frames_per_second", 0.0)
    if not isinstance(rate, int | float) or isinstance(rate, bool) or not 0 <= rate <= MOST_RATE:
        raise UserError(
            f"sampler.frames_per_second is {rate!r}; give a number up to {MOST_RATE}, such as 5, or 0 to count frames "
            "as they are"
        )
    if rate and given["kind"] == "uniform":
        raise UserError(
            f"sampler.frames_per_second is {rate:g}, and sampler.kind uniform spreads its frames over the whole clip "
            "whatever its length; choose sampler.kind dense, sliding or every"
        )
    if rate and given.get("stride", 1) != 1:
        raise UserError(
            f"sampler.stride is {given['stride']}, and sampler.frames_per_second {rate:g} sets the step between frames "
            "as well; leave one of them out"
        )


def check_clip_pixels(frames: int, size_px: int) -> None:
    """Check the size of the pictures of a view, alone and all together.

    Args:
        frames: Most frames of a view; 0 where the clip decides.
        size_px: Side of a picture.

    Raises:
        UserError: If a picture, or all of them, would be larger than any network here was made for.
    """
    if not 1 <= size_px <= MOST_SIZE_PX:
        raise UserError(f"size_px is {size_px}; give a number of pixels from 1 to {MOST_SIZE_PX}")
    if frames * size_px**2 > MOST_CLIP_PIXELS:
        most = MOST_CLIP_PIXELS // size_px**2
        raise UserError(f"sampler.frames is {frames} of {size_px} px; give at most {most} frames, or a smaller size_px")


def renamed_sampler_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """Bring what older recipes and model files say of a sampler into today's words.

    ``short`` is ``policy`` now, ``max_frames`` is ``frames`` with 0 in place of None, and rule ``report`` is ``paper``.
    """
    renamed = dict(values)
    if "short" in renamed:
        renamed.setdefault("policy", renamed.pop("short"))
    if "max_frames" in renamed:
        renamed.setdefault("frames", renamed.pop("max_frames") or 0)
    if renamed.get("rule") == "report":
        renamed["rule"] = "paper"
    return renamed
