"""Files of a run as a careless or a hostile stranger would change them."""

import copy
import csv
import io
import itertools
import json
import random
from collections.abc import Callable
from typing import Any

import yaml

ODD_VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2**31, 10**12, -(10**12), 10**400, 0.5, -0.5, 1e308, "", "x", "nan", "x" * 100_000,
    "../../etc/passwd", "/dev/zero", "a\0b", "\x1b[31mred", "\ud800", [], {}, [[]], [0] * 1000, {"a": {"b": [None]}},
    [1e308, "x", None], "none", "auto", "all", "last-99999999999",
)  # fmt: skip
"""What a value is replaced by: other types, the ends of ranges, and what has a meaning elsewhere."""


def mutated_json(text: str, random_: random.Random) -> str:
    """One value of a JSON text changed, removed, doubled or made very deep; or the text itself damaged."""
    if random_.random() < 0.2:
        return damaged(text.encode(), random_).decode("utf-8", "surrogateescape")
    if random_.random() < 0.05:
        return "[" * 100_000 + "]" * 100_000
    if random_.random() < 0.05:
        return text.replace(":", ": NaN,", 1) if random_.random() < 0.5 else text.replace("0.", "1e999.", 1)
    return json.dumps(_changed(json.loads(text), random_))


def mutated_yaml(text: str, random_: random.Random) -> str:
    """The same for YAML, and what YAML alone can do."""
    chance = random_.random()
    if chance < 0.2:
        return damaged(text.encode(), random_).decode("utf-8", "surrogateescape")
    if chance < 0.25:
        names = "abcdefghij"
        lines = [f"{names[0]}: &{names[0]} [x, x, x, x, x, x, x, x, x]"]
        lines += [f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]" for a, b in itertools.pairwise(names)]
        return "\n".join(lines)
    if chance < 0.3:
        return "{" * 50_000
    if chance < 0.35:
        return "!!python/object/apply:os.system ['true']"
    return str(yaml.safe_dump(_changed(yaml.safe_load(text), random_)))


def mutated_csv(text: str, random_: random.Random) -> str:
    """One cell, row or the header of a CSV changed; or the text itself damaged."""
    if random_.random() < 0.3:
        return damaged(text.encode(), random_).decode("utf-8", "surrogateescape")
    rows = list(csv.reader(io.StringIO(text)))
    row = random_.choice(rows)
    what = random_.randrange(5)
    if what == 0:
        rows.remove(row)
    elif what == 1:
        rows.append(row)
    elif what == 2:
        del row[random_.randrange(len(row))]
    elif what == 3:
        row.append(str(random_.choice(ODD_VALUES)))
    else:
        row[random_.randrange(len(row))] = str(random_.choice(ODD_VALUES))
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    return out.getvalue()


def damaged(data: bytes, random_: random.Random) -> bytes:
    """Bytes flipped, cut off, left out, doubled or put in."""
    if not data:
        return b"\0"
    what, place = random_.randrange(5), random_.randrange(len(data))
    length = min(len(data) - place, 1 << random_.randrange(12))
    changed = bytearray(data)
    if what == 0:
        for _ in range(1 << random_.randrange(6)):
            changed[random_.randrange(len(data))] ^= 1 << random_.randrange(8)
    elif what == 1:
        del changed[place:]
    elif what == 2:
        del changed[place : place + length]
    elif what == 3:
        changed[place:place] = data[place : place + length]
    else:
        changed[place : place + length] = random_.randbytes(length)
    return bytes(changed)


MUTATORS: dict[str, Callable[[str, random.Random], str]] = {
    ".json": mutated_json,
    ".yaml": mutated_yaml,
    ".csv": mutated_csv,
}


def mutated(suffix: str, data: bytes, random_: random.Random) -> bytes:
    """The content of a file changed, in the way of its format where it is text."""
    if suffix not in MUTATORS:
        return damaged(data, random_)
    return MUTATORS[suffix](data.decode(), random_).encode("utf-8", "surrogatepass")


def _changed(values: Any, random_: random.Random) -> Any:
    values = copy.deepcopy(values)
    places = list(_places(values))
    if not places:
        return random_.choice(ODD_VALUES)
    holder, key = random_.choice(places)
    what = random_.random()
    if what < 0.7:
        holder[key] = copy.deepcopy(random_.choice(ODD_VALUES))
    elif what < 0.85:
        del holder[key]
    elif isinstance(holder, dict):
        holder[f"{key}_"] = holder.pop(key)
    else:
        holder.insert(key, holder[key])
    return values


def _places(values: Any) -> "list[tuple[Any, Any]]":
    """Each value inside, as what holds it and its key."""
    if isinstance(values, dict):
        keys = list(values)
    elif isinstance(values, list):
        keys = list(range(len(values)))
    else:
        return []
    return [(values, key) for key in keys] + [place for key in keys for place in _places(values[key])]
