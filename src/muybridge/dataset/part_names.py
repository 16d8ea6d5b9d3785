"""The names by which training, validation and test part go, in folders and in tables."""

import re

PART_NAMES = {
    "train": "train", "training": "train", "trn": "train",
    "validation": "validation", "valid": "validation", "val": "validation", "validate": "validation",
    "dev": "validation", "development": "validation",
    "test": "test", "testing": "test", "tst": "test", "eval": "test", "evaluation": "test",
}  # fmt: skip
"""The usual names of the three parts, in lower case, and ours for each."""

_ADDED = frozenset({
    "video", "videos", "clip", "clips", "set", "data", "dataset", "split", "part", "partition", "subset", "samples",
    "files", "folder",
})  # fmt: skip
_GLUED = re.compile(r"(?P<part>[a-z]+?)(?:set|data|dataset|videos|clips|split)")


def part_of(name: str) -> str | None:
    """The part that a name means, `train`, `validation` or `test`; None if it is the name of something else.

    Example:
        >>> [part_of(name) for name in ("Train", "videos_val", "test-set", "trainset", "training wheels")]
        ['train', 'validation', 'test', 'train', None]
    """
    words = [word for word in re.split(r"[\s_.\-]+", name.lower()) if word]
    meaning = [word for word in words if word not in _ADDED]
    if len(meaning) != 1:
        return None
    glued = _GLUED.fullmatch(meaning[0])
    return PART_NAMES.get(meaning[0]) or (PART_NAMES.get(glued["part"]) if glued else None)
