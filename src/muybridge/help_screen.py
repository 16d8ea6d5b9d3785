"""The help of the command line: one screen per verb, and every option behind ``--help-all``.

Notable: there is one source for both. A verb's own options are described in its docstring, the options of a recipe
by the docstrings of their fields: the first sentence is the short description, the whole text the long one. Nothing
but text is imported, because help should be there at once.
"""

import inspect
import re
import shutil
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from cyclopts import App
from cyclopts.argument import Argument

HELP, HELP_ALL = ("--help", "-h"), "--help-all"

ORDER = (
    "demo",
    "get",
    "annotations",
    "check",
    "recipes",
    "train",
    "evaluate",
    "predict",
    "timeline",
    "watch",
    "serve",
    "report",
    "ensemble",
    "sweep",
    "export",
    "pack",
    "unpack",
    "push",
)
"""The verbs in the order in which one meets them."""

SECTIONS = ("Data", "Frames", "Augmentation", "Model", "Training", "Cache")
"""The groups of a recipe's options, in the order in which a clip meets them."""

_RECIPE_SCREEN = (
    *("--data.protocol", "--data.folds", "--sampler.frames", "--size-px"),
    *("--model.encoder", "--model.head", "--training.epochs", "--training.learning-rate"),
)
_RUN_SCREEN = ("--device", "--name", "--resume", "--from", "--learning-curve")
SCREENS = {
    "train": ("--clips", "--recipe", *_RECIPE_SCREEN, *_RUN_SCREEN, "--json"),
    "evaluate": (
        *("--run", "--clips", "--views", "--crops", "--flip", "--clips-root", "--out", "--engine", "--device"),
        *("--isolate", "--data.protocol", "--data.groups", "--data.classes", "--data.test-groups"),
        *("--data.alike-labels", "--data.background", "--data.annotation-unit", "--data.annotation-tier", "--json"),
    ),
    "timeline": (
        *("--run", "--videos", "--frames-per-second", "--window-seconds", "--rules.way", "--rules.change-cost"),
        *(
            "--rules.none-of-these",
            "--rules.gap-seconds",
            "--rules.least-seconds",
            "--tune",
            "--truth",
            "--out",
            "--format",
        ),
        *("--resume", "--device", "--json"),
    ),
    "watch": (
        *("--run", "--source", "--pace", "--out", "--on-event", "--webhook", "--mqtt", "--save-events"),
        *("--seconds-before", "--seconds-after", "--seconds", "--status-seconds", "--frames-per-second"),
        *("--window-seconds", "--rules.change-cost", "--rules.none-of-these", "--rules.least-seconds", "--device"),
    ),
    "sweep": (
        "--recipe",
        "--clips",
        "--over",
        "--trials",
        "--folder",
        "--prune",
        *_RECIPE_SCREEN,
        "--device",
        "--json",
    ),
}
"""What ``--help`` shows of verbs with more options than a screen has lines; ``--help-all`` shows the rest."""

_LABEL_WIDTH = 21
_WIDEST = 100
_MAIN = "Parameters"
"""The group of a verb's own options."""


def text(app: App, verb: str, *, everything: bool, defaults: Mapping[str, Any] | None = None) -> str:
    """What ``--help`` or, with ``everything``, ``--help-all`` prints; with no verb, what verbs there are.

    Args:
        app: The command line.
        verb: A verb's name, or nothing.
        everything: Show all options.
        defaults: What options are by default where the verb's signature does not say it, by their first names.
    """
    if not verb:
        return _overview(app)
    return _screen(app, verb, short=SCREENS.get(verb, ()), everything=everything, defaults=defaults or {})


def verbs(app: App) -> list[str]:
    """The names of the verbs, in the order of help."""
    names = [name for name in app if not name.startswith("-")]
    return sorted(names, key=lambda name: ORDER.index(name) if name in ORDER else len(ORDER))


def _overview(app: App) -> str:
    """Each verb with the first paragraph of its docstring."""
    lines = ["Usage: muybridge VERB ...", "", *_wrapped(str(app.help)), ""]
    for name in verbs(app):
        lines += _row(name, _paragraphs(app, name)[0], label_width=13)
    lines += ["", "Every verb: muybridge VERB --help. Version: muybridge --version.", *_wrapped(str(app.help_epilogue))]
    return "\n".join(lines)


def _screen(app: App, verb: str, *, short: Sequence[str], everything: bool, defaults: Mapping[str, Any]) -> str:
    """The help of one verb.

    Args:
        app: The command line.
        verb: Its name.
        short: The options of the short screen in their order, by their first names; empty: all that the verb has.
        everything: Show all options, by section and with their whole text.
        defaults: As in `text`.
    """
    arguments = [argument for argument in app[verb].assemble_argument_collection(parse_docstring=True) if argument.show]
    described = [paragraph for paragraph in _paragraphs(app, verb) if not paragraph.startswith(" ")]
    lines = [f"Usage: muybridge {verb} {_usage(arguments)}", ""]
    for paragraph in described if everything or not short else described[:1]:
        lines += [*_wrapped(paragraph), ""]
    lines += ["Example:", f"  {example(app, verb)}", ""]
    if everything:
        lines += _by_section(arguments, defaults)
        return "\n".join(lines[:-1])
    by_name = {argument.name: argument for argument in arguments}
    for argument in [by_name[name] for name in short if name in by_name] if short else arguments:
        lines += _row(label(argument), _description(argument, defaults, long=False))
    if len(short) and len(arguments) > len(short):
        lines += ["", f"All {len(arguments)} options, by section: muybridge {verb} {HELP_ALL}"]
    return "\n".join(lines)


def example(app: App, verb: str) -> str:
    """The command that the verb's docstring shows."""
    return next(paragraph.strip() for paragraph in _paragraphs(app, verb) if paragraph.startswith(" "))


def flags_of(argument: Argument) -> list[str]:
    """The names of an option without its negative forms, shortest first."""
    names = [name for name in dict.fromkeys(argument.names) if name not in argument.negatives]
    return sorted(names, key=len)


def _by_section(arguments: Sequence[Argument], defaults: Mapping[str, Any]) -> Iterator[str]:
    groups: dict[str, list[Argument]] = {name: [] for name in (_MAIN, *SECTIONS)}
    for argument in arguments:
        groups.setdefault(_group(argument), []).append(argument)
    for name, members in groups.items():
        if members:
            yield "Options:" if name == _MAIN else f"{name}:"
            for argument in members:
                yield from _row(label(argument, long=True), _description(argument, defaults, long=True))
            yield ""


def _group(argument: Argument) -> str:
    group = next(iter(argument.parameter.group or ()), _MAIN)  # type: ignore[arg-type]
    return group if isinstance(group, str) else str(group.name)


def _paragraphs(app: App, verb: str) -> list[str]:
    """The paragraphs of the verb's docstring before its sections; examples keep their indentation."""
    text = inspect.getdoc(app[verb].default_command) or ""
    text = re.split(r"\n\n(?:Args|Raises|Returns):\n", text)[0]
    return [part if part.startswith(" ") else " ".join(part.split()) for part in text.split("\n\n")]


def _usage(arguments: Sequence[Argument]) -> str:
    places = []
    for argument in arguments:
        if argument.index is not None:
            # What train may do without is there in nearly every command.
            bare = argument.required or (argument.index == 0 and argument.field_info.default is None)
            places.append(label(argument) if bare else f"[{label(argument)}]")
    needed = [label(argument) for argument in arguments if argument.index is None and argument.required]
    return " ".join([*places, *needed, "[OPTIONS]"])


def label(argument: Argument, *, long: bool = False) -> str:
    """An option as one writes it: its shortest name, or all, and a word for its value."""
    names = flags_of(argument)
    if argument.index is not None:
        name = names[0].lstrip("-").upper() if names else argument.field_info.name.upper()
        return f"{name} ..." if _many(argument.hint) else name
    shown = names if long else names[:1]
    if argument.hint is bool and argument.negatives:
        shown = [re.sub(r"^(--(?:.*\.)?)", r"\1[no-]", name) for name in shown]
    return " ".join([", ".join(shown), *_value(argument.hint)])


def _value(hint: Any) -> list[str]:
    """A placeholder for the value of an option; none for a switch."""
    if _many(hint):
        return ["TEXT"] if get_origin(hint) is list else [*_value(get_args(hint)[0]), "..."]
    kinds = (hint,) if get_origin(hint) in (None, Literal) else get_args(hint)
    kind = next(kind for kind in kinds if kind is not type(None))
    if kind is bool:
        return []
    return [{int: "N", float: "X", Path: "PATH", str: "NAME"}.get(kind, "CHOICE")]


def _many(hint: Any) -> bool:
    return get_origin(hint) in (tuple, list)


def _description(argument: Argument, defaults: Mapping[str, Any], *, long: bool) -> str:
    text = " ".join(str(argument.parameter.help or "").split())
    if not long and argument.keys:
        text = re.split(r"(?<=\w)\. ", text, maxsplit=1)[0].rstrip(".") + "."
    choices = argument.get_choices() or ()
    if not all(re.search(rf"\b{re.escape(choice)}\b", text) for choice in choices):
        text = f"{text} One of {', '.join(choices)}."
    default = defaults.get(argument.name, argument.field_info.default)
    if argument.required or default in (None, "", (), []) or default is False:
        return text
    if default is True:
        default = "on"
    if isinstance(default, tuple | list):
        default = " ".join(map(str, default))
    return f"{text} [{default}]"


def _row(name: str, text: str, label_width: int = _LABEL_WIDTH) -> list[str]:
    lines = textwrap.wrap(text, _width() - label_width - 2, break_on_hyphens=False) or [""]
    if len(name) >= label_width:
        return [f"  {name}", *(f"  {'':{label_width}}{line}" for line in lines)]
    return [f"  {name if number == 0 else '':{label_width}}{line}" for number, line in enumerate(lines)]


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, _width(), break_on_hyphens=False)


def _width() -> int:
    return min(_WIDEST, shutil.get_terminal_size().columns)
