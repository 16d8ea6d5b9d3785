"""What went wrong, in the words of the command line: one line that names the option to write.

The library names keys (``training.learning_rate``), since it does not know who calls it. Here a key becomes the
option of that name, and an option that does not exist leads to the one that was meant.
"""

import difflib
import re
from collections.abc import Iterator, Sequence

from cyclopts import App, CycloptsError
from cyclopts.exceptions import MissingArgumentError, UnknownOptionError

from muybridge.disk_errors import disk_error, in_one_line
from muybridge.help_screen import example, flags_of, label, verbs
from muybridge.text import did_you_mean

# What other programs call it.
_VERBS = {
    "test": "evaluate",
    "eval": "evaluate",
    "val": "evaluate",
    "validate": "evaluate",
    "fit": "train",
    "finetune": "train",
    "classify": "predict",
    "infer": "predict",
    "inference": "predict",
    "download": "get",
    "convert": "export",
    "compare": "report",
    "tune": "sweep",
}
_OPTIONS = {
    "lr": "learning-rate",
    "bs": "batch-size",
    "batch": "batch-size",
    "model": "encoder",
    "arch": "encoder",
    "backbone": "encoder",
    "net": "encoder",
    "num-frames": "frames",
    "clip-len": "frames",
    "size": "size-px",
    "img-size": "size-px",
    "imgsz": "size-px",
    "gpu": "device",
    "cuda": "device",
    "wd": "weight-decay",
    "decay": "weight-decay",
    "pretrained": "weights",
    "num-epochs": "epochs",
    "num-workers": "workers",
    "config": "recipe",
    "split": "protocol",
    "groups": "data.groups",
    "short": "policy",
    "output": "out",
}

_IN_FILE = re.compile(r"((?:\[\w+\])+) provided by ")
_KEY = re.compile(r"(?<!sweep\.over )(?<![\w./\\-])(?:[a-z]+\.[a-z][a-z0-9_]*|size_px)(?![\w/\\=-]|\.\w)")


def require_verb(app: App, word: str) -> None:
    """Refuse a verb that there is not.

    Raises:
        CycloptsError: With the one that was meant.
    """
    if word in verbs(app):
        return
    hint = f"; did you mean {_VERBS[word]!r}?" if word in _VERBS else did_you_mean(word, verbs(app))
    if "; did you mean" not in hint:
        hint = f"; there are {', '.join(verbs(app))}"
    raise CycloptsError(msg=f"there is no verb {word!r}{hint}")


def require_options(app: App, verb: str, words: Sequence[str]) -> None:
    """Refuse what the parser would let pass: underscores in an option, and a section in place of its options.

    There is one way to write each; and ``--model i3d`` would fill the section's first field, whatever that is.

    Raises:
        CycloptsError: With the option that was meant.
    """
    sections = {
        name for argument in app[verb].assemble_argument_collection() if not argument.show for name in argument.names
    }
    for word in words:
        name = word.partition("=")[0]
        if name.startswith("--") and ("_" in name or name in sections):
            raise CycloptsError(msg=_unknown_option(app, verb, name))


def line(error: Exception, app: App, verb: str, words: Sequence[str]) -> str:
    """The error in one line.

    Args:
        error: What was raised.
        app: The command line.
        verb: The verb that was run, if it got so far.
        words: All words of the command.
    """
    if isinstance(error, UnknownOptionError) and error.token.source == "cli":
        return _unknown_option(app, verb, (error.token.keyword or error.token.value).partition("=")[0])
    if isinstance(error, MissingArgumentError) and error.argument is not None and not error.argument.tokens:
        return f"{verb} needs {label(error.argument)}; for example: {example(app, verb)}"
    text = " ".join(str(error).split())
    if isinstance(error, CycloptsError):
        # Of a value in a recipe file it says "[model][encoder] provided by FILE".
        return _IN_FILE.sub(lambda match: f"{match[1].strip('[]').replace('][', '.')} in ", text)
    names = {**_names_by_key(app, "train"), **_names_by_key(app, verb)}
    given = {word.partition("=")[0] for word in words}

    def option(match: re.Match[str]) -> str:
        known = names.get(match[0])
        # A bad value that no option set is in a recipe file, where it has its key.
        in_file = known and match.start() == 0 and text.startswith(f"{match[0]} is ") and not given & {*known}
        return match[0] if known is None or in_file else known[0]

    return _KEY.sub(option, text)


def _unknown_option(app: App, verb: str, name: str) -> str:
    plain = name.lstrip("-").replace("_", "-")
    last = plain.rpartition(".")[2]
    # A long name leads to a long name, a short one to the shortest.
    which = -1 if "." in plain else 0
    known = {flag.removeprefix("--"): flags[which] for flags in _options(app, verb) for flag in flags}
    by_last_word = {flag.rpartition(".")[2]: meant for flag, meant in reversed(known.items())}
    for word in (_OPTIONS.get(plain), plain, last, _OPTIONS.get(last)):
        if word is not None and (meant := known.get(word) or by_last_word.get(word)):
            return f"there is no option {name}; did you mean {meant}?"
    for word, names in ((plain, known), (last, by_last_word)):
        if close := difflib.get_close_matches(word, names, n=1):
            return f"there is no option {name}; did you mean {names[close[0]]}?"
    return f"there is no option {name}; the options are in: muybridge {verb} --help"


def _options(app: App, verb: str) -> Iterator[list[str]]:
    """The names of each option of a verb, shortest first."""
    if verb in verbs(app):
        for argument in app[verb].assemble_argument_collection():
            if argument.show and argument.index is None:
                yield flags_of(argument)


def _names_by_key(app: App, verb: str) -> dict[str, list[str]]:
    """For each key that the library may name, the names of the verb's option that sets it, shortest first."""
    found = {}
    for names in _options(app, verb):
        for name in names:
            key = name.removeprefix("--").replace("-", "_")
            # Several verbs have options about a run that they read, of which the library says "run."
            found[key] = found[f"{verb}.{key}"] = found[f"run.{key}"] = names
    return found


def of_disk(error: Exception) -> str | None:
    """The line for an error of the disk or the operating system; None for anything else."""
    found = disk_error(error)
    return None if found is None else in_one_line(found)
