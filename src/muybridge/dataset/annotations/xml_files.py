"""XML of strangers, read without entities and within bounds, and XML that every reader takes."""

import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from defusedxml import DefusedXmlException
from defusedxml import ElementTree as SafeTree

from muybridge.errors import UserError
from muybridge.text import abbreviated

MOST_BYTES = 1 << 30
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def elements(path: Path) -> Iterator[tuple[str, Element]]:
    """The elements of a file as they begin (`start`, with their attributes) and end (`end`, with all that is in them).

    Raises:
        UserError: If it cannot be read, is no XML, is too large, or declares entities.
    """
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise UserError(f"{path} is {size / 1e9:.1f} GB, which no annotation file is; export it again")
        yield from SafeTree.iterparse(path, events=("start", "end"), forbid_dtd=True)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from None
    except DefusedXmlException:
        raise UserError(f"{path} declares a document type or entities, which no annotator does; export it again") from (
            None
        )
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        reason = abbreviated(" ".join(str(error).split()), 200)
        raise UserError(f"{path} is damaged: it is not XML ({reason}); export it again") from None


def root_name(path: Path) -> str:
    """The name of the outermost element.

    Raises:
        UserError: As `elements`.
    """
    for _, element in elements(path):
        return str(element.tag)
    raise UserError(f"{path} is empty; export it again")


def whole(path: Path) -> Element:
    """The outermost element, with all that is in it.

    Raises:
        UserError: As `elements`.
    """
    root = None
    for _, element in elements(path):
        root = element if root is None else root
    if root is None:
        raise UserError(f"{path} is empty; export it again")
    return root


def added(parent: Element, tag: str, text: str | None = None, **attributes: str) -> Element:
    """A new element at the end of another."""
    element = ElementTree.SubElement(parent, tag, attributes)
    element.text = text
    return element


def written(root: Element) -> str:
    """An element as the text of a file."""
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def xml_text(text: str) -> str:
    r"""A text with what XML cannot hold written out as ``\uNNNN``."""
    return _ILLEGAL.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
