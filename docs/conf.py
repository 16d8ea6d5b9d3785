"""How the pages are built: Sphinx, Markdown by MyST, the theme furo.

Notable: the reference is written from the names that `muybridge` offers, so none can be forgotten, and the build fails
on one without a docstring.
"""

import importlib.metadata
import inspect
import typing
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

import muybridge

project = "muybridge"
author = "The muybridge authors"
copyright = author
version = release = importlib.metadata.version("muybridge")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
html_theme = "furo"
html_title = "muybridge"
html_copy_source = False
html_show_sphinx = False
html_static_path = ["static"]
html_css_files = ["tables.css"]
exclude_patterns = ["results/**"]

myst_heading_anchors = 3
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_preserve_defaults = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_preprocess_types = False

# A reference to something of ours that is not on the page is an error; types of other packages have no page here.
nitpick_ignore_regex = [("py:.*", r"(?!muybridge\.).*")]
# Fields of classes on the page that are not for users.
nitpick_ignore = [
    ("py:class", "muybridge.inference.rejection.Rejection"),
    ("py:class", "muybridge.models.network.RecognizerNet"),
    ("py:class", "muybridge.video.sampling.Sampler"),
]

LOGGER = logging.getLogger(__name__)


class PublicNames(SphinxDirective):
    """Documents everything that `muybridge` offers: functions, classes, errors, then what these mention."""

    def run(self) -> list[nodes.Node]:
        """Write the autodoc directives, and complain about each name without a docstring."""
        offered = {f"muybridge.{name}": getattr(muybridge, name) for name in dir(muybridge) if not name.startswith("_")}
        errors = {name: it for name, it in offered.items() if isinstance(it, type) and issubclass(it, BaseException)}
        functions = {name: it for name, it in offered.items() if inspect.isroutine(it)}
        classes = {name: it for name, it in offered.items() if isinstance(it, type) and name not in errors}
        parts = {f"{it.__module__}.{it.__qualname__}": it for it in _mentioned_by(offered.values())}
        return [
            self._section("Functions", "function", functions),
            self._section("Classes", "class", classes),
            self._section("Errors", "exception", errors),
            self._section("Parts of results and options", "class", parts),
        ]

    def _section(self, title: str, kind: str, named: dict[str, Any]) -> nodes.section:
        section = nodes.section(ids=[nodes.make_id(title)])
        section += nodes.title(text=title)
        options = ["   :members:"] if kind == "class" else []
        lines = []
        for name in sorted(named, key=lambda name: name.rpartition(".")[2].lower()):
            self._require_docstrings(name, named[name])
            lines += [f".. auto{kind}:: {name}", *options, ""]
        section += self.parse_text_to_nodes("\n".join(["```{eval-rst}", *lines, "```"]))
        return section

    def _require_docstrings(self, name: str, it: Any) -> None:
        missing = [] if (it.__doc__ or "").strip() else [name]
        for member, value in _members(it):
            if not (getattr(it, member).__doc__ or value.__doc__ or "").strip():
                missing.append(f"{name}.{member}")
        for each in missing:
            LOGGER.warning("%s has no docstring", each, location=self.get_location())


def _members(it: Any) -> Iterator[tuple[str, Any]]:
    """The public methods and properties that a class has from us."""
    owners = [owner for owner in getattr(it, "__mro__", ()) if owner.__module__.split(".")[0] == "muybridge"]
    for member, value in (pair for owner in owners for pair in vars(owner).items()):
        documented = inspect.isroutine(value) or isinstance(
            value, property | cached_property | classmethod | staticmethod
        )
        if documented and not member.startswith("_"):
            yield member, value


def _mentioned_by(offered: Iterable[Any]) -> list[type]:
    """Our classes that names on offer take or return, however deep, and that are not on offer themselves."""
    known = list(offered)
    found: list[type] = []
    todo = list(known)
    while todo:
        it = todo.pop()
        annotated = [it, *(_function(value) for _, value in _members(it))]
        for each in (part for one in annotated for hint in _hints(one) for part in _flat(hint)):
            ours = isinstance(each, type) and each.__module__.split(".")[0] == "muybridge"
            if ours and each not in known and each not in found:
                found.append(each)
                todo.append(each)
    return found


def _function(value: Any) -> Any:
    if isinstance(value, property):
        return value.fget
    return value.func if isinstance(value, cached_property) else getattr(value, "__func__", value)


def _hints(it: Any) -> list[Any]:
    try:
        return list(typing.get_type_hints(it).values())
    except NameError:  # a type that is imported for type checkers alone; Sphinx then prints its bare name
        return []


def _flat(hint: Any) -> Iterator[Any]:
    yield hint
    for each in typing.get_args(hint):
        yield from _flat(each)


def setup(app: Sphinx) -> None:
    """Register the directive."""
    app.add_directive("public-names", PublicNames)
