"""The names of encoders, of one and of several side by side: ``i3d``, ``timm:NAME``, ``i3d+movinet_a0``.

Several are a list in YAML and Python and joined by "+" on the command line; inside they are the joined text.
Free of torch, because the command line reads it for its help.
"""

from collections import Counter
from difflib import get_close_matches
from typing import Literal, get_args

from muybridge.errors import UserError

FrameEncoderName = Literal["mobilenet", "densenet", "alexnet", "efficientnet_lite0", "small"]
MoViNetName = Literal[
    "movinet_a0",
    "movinet_a1",
    "movinet_a2",
    "movinet_a0_base",
    "movinet_a1_base",
    "movinet_a2_base",
    "movinet_a0_mobile",
]
VideoEncoderName = Literal["i3d", "r3d_18", "mc3_18", "r2plus1d_18", "r2plus1d_34", "slowfast_r50", MoViNetName]
EncoderName = Literal[FrameEncoderName, VideoEncoderName]

ADAPTERS = ("timm", "transformers")
"""Libraries whose encoders are named ``LIBRARY:NAME``."""

JOIN = "+"
"""What stands between the names of encoders side by side."""

_OWN: tuple[str, ...] = get_args(EncoderName)


def adapter_of(encoder: str) -> str:
    """The library that an encoder is from, or "" for one of ours."""
    library, _, name = encoder.partition(":")
    return library if name and library in ADAPTERS else ""


def encoders_of(encoder: str) -> tuple[str, ...]:
    """The names in an encoder's name: several only where each is one of ours, as a path may hold a plus, too.

    >>> encoders_of("i3d+movinet_a0"), encoders_of("transformers:models/a+b")
    (('i3d', 'movinet_a0'), ('transformers:models/a+b',))
    """
    names = tuple(encoder.split(JOIN))
    return names if all(name in _OWN for name in names) else (encoder,)


def joined(encoder: object) -> object:
    """One text for an encoder or a list of them, as ``ModelConfig.encoder`` holds it; what is neither stays.

    Raises:
        UserError: A list is empty, or holds something else than names.
    """
    if not isinstance(encoder, list | tuple):
        return encoder
    if not encoder or not all(isinstance(name, str) and name for name in encoder):
        raise UserError(f"model.encoder is {encoder!r}; give a name, or a list of names such as [i3d, movinet_a0]")
    if len(encoder) > 1:
        for name in encoder:
            _require_own(name, JOIN.join(encoder))
    return JOIN.join(encoder)


def require_encoder(encoder: str) -> None:
    """Refuse what is neither the name of an encoder nor of several.

    Raises:
        UserError: With the name that was meant.
    """
    names = encoders_of(encoder)
    if len(names) == 1 and not adapter_of(encoder):
        parts = encoder.split(JOIN)
        if len(parts) > 1 and any(name in _OWN for name in parts):
            for name in parts:
                _require_own(name, encoder)
        elif encoder not in _OWN:
            raise UserError(f"model.encoder is {encoder!r}{_hint(encoder)}")
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise UserError(f"model.encoder is {encoder!r}; name {twice[0]} once")


def _require_own(name: str, encoder: str) -> None:
    """Refuse a member of several that is not one of ours."""
    if adapter_of(name):
        raise UserError(f"model.encoder is {encoder!r}; {name} must be alone: only muybridge's own go side by side")
    if name not in _OWN:
        raise UserError(f"model.encoder is {encoder!r}, of which there is no {name!r}{_hint(name)}")


def _hint(encoder: str) -> str:
    """The end of a message about an unknown encoder: a slip of the pen, or perhaps the name of one of timm's."""
    if close := get_close_matches(encoder, _OWN, n=1, cutoff=0.75):
        return f"; did you mean {close[0]!r}?"
    name = encoder.rpartition(":")[2] or "NAME"
    return f"; for one of timm's say timm:{name}; muybridge's own are {', '.join(_OWN)}"
