"""Options and recipes that are gone: what old files may still say of them, and what to use in their place."""

from collections.abc import Mapping
from typing import Any

from muybridge.console import STDERR, say
from muybridge.errors import UserError

OPTIONS: dict[str, tuple[str, Any]] = {
    "augment.randaugment": ("RandAugment", 0),
    "training.mixup": ("mixup", 0),
    "training.cutmix": ("cutmix", 0),
    "training.ema": ("the running average of the weights", 0),
    "training.compile": ("torch.compile in training", False),
}
"""Keys that are gone: what each was, and the value that switched it off."""

VALUES: dict[str, dict[Any, Any]] = {"model.feature_norm": {True: "layer", False: "none"}}
"""Keys that had other values: what each old value is now."""

COMPANIONS = {"augment.randaugment_magnitude"}
"""Keys that are gone and said nothing where the others were off."""

RECIPES = {
    "modern-alexnet": "recipe modern with model.encoder alexnet",
    "modern-densenet": "recipe modern with model.encoder densenet",
    "modern-mobilenet": "recipe modern with model.trainable all",
    "modern-mobilenet-small": "recipe modern with model.head_widths [256, 128, 64]",
    "modern-dblstm": (
        "recipe modern with model.head_widths [256, 256] and "
        "sampler: {kind: sliding, frames: 6, stride: 6, hop: 18, jitter: 1, windows: all}"
    ),
}
"""Recipes that are gone, and what is the same."""


def without_retired(values: Mapping[str, Any], source: str) -> dict[str, Any]:
    """The values of a recipe without keys that are gone and were off; a note names them. Old values are translated.

    Args:
        values: Nested plain values, as read from YAML.
        source: Where they come from, for messages.

    Raises:
        UserError: If one of them was on.
    """
    kept: dict[str, Any] = {}
    gone = []
    for section, options in values.items():
        if not isinstance(options, Mapping):
            kept[section] = options
            continue
        kept[section] = {}
        for name, value in options.items():
            key = f"{section}.{name}"
            if key in OPTIONS and value != OPTIONS[key][1]:
                what, off = OPTIONS[key]
                raise UserError(
                    f"{source}: {key} is {value}, and muybridge has no {what.removeprefix('the ')} any more; "
                    f"set it to {str(off).lower()}, or leave it out"
                )
            if key in OPTIONS or key in COMPANIONS:
                gone.append(key)
            elif key in VALUES and isinstance(value, bool):
                kept[section][name] = VALUES[key][value]
            else:
                kept[section][name] = value
    if gone:
        say(STDERR, f"note: {source}: ignored {', '.join(gone)}, which muybridge no longer has; all were off")
    return kept
