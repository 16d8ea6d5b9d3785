"""How the pages are built: Sphinx, Markdown by MyST, the theme furo.

Notable: the reference is written from the names that `muybridge` offers, so none can be forgotten, and the build fails
on one without a docstring.
"""

import importlib.metadata
import inspect
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

# Types of other packages, and ours that a user meets only as what a function takes or returns. A link into our own
# pages that leads nowhere is still an error.
nitpick_ignore_regex = [("py:.*", r".*")]

LOGGER = logging.getLogger(__name__)
GROUPS = {"Functions": inspect.isroutine, "Errors": lambda it: isinstance(it, type) and issubclass(it, BaseException)}


class PublicNames(SphinxDirective):
    """Documents everything that `muybridge` offers, functions first, then classes, then errors."""

    def run(self) -> list[nodes.Node]:
        """Write the autodoc directives, and complain about each name without a docstring."""
        offered = {name: getattr(muybridge, name) for name in dir(muybridge) if not name.startswith("_")}
        errors = {name for name, it in offered.items() if GROUPS["Errors"](it)}
        functions = {name for name, it in offered.items() if inspect.isroutine(it)}
        classes = offered.keys() - errors - functions
        section: list[nodes.Node] = []
        for title, names in (("Functions", functions), ("Classes", classes), ("Errors", errors)):
            part = nodes.section(ids=[title.lower()])
            part += nodes.title(text=title)
            lines = []
            for name in sorted(names, key=str.lower):
                self._require_docstrings(name, offered[name])
                kind = "function" if name in functions else "class" if name in classes else "exception"
                lines += [f".. auto{kind}:: muybridge.{name}", *self._options(kind), ""]
            part += self.parse_text_to_nodes("\n".join(["```{eval-rst}", *lines, "```"]))
            section.append(part)
        return section

    @staticmethod
    def _options(kind: str) -> list[str]:
        return ["   :members:", "   :inherited-members: tuple,dict,str,Exception,ABC"] if kind == "class" else []

    def _require_docstrings(self, name: str, it: Any) -> None:
        missing = [] if (it.__doc__ or "").strip() else [name]
        if isinstance(it, type):
            members = ((member, value) for owner in it.__mro__ for member, value in vars(owner).items() if _ours(owner))
            missing += [
                f"{name}.{member}"
                for member, value in members
                if not member.startswith("_")
                and (inspect.isroutine(value) or isinstance(value, property | classmethod | staticmethod))
                and not (getattr(it, member).__doc__ or "").strip()
            ]
        for each in missing:
            LOGGER.warning("muybridge.%s has no docstring", each, location=self.get_location())


def _ours(owner: type) -> bool:
    return owner.__module__.split(".")[0] == "muybridge"


def setup(app: Sphinx) -> None:
    """Register the directive."""
    app.add_directive("public-names", PublicNames)
