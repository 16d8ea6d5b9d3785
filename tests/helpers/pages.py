"""The Markdown pages of the repository: their code blocks, their links, their lines."""

import re
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    path
    for path in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"))
    if not path.relative_to(ROOT).as_posix().startswith("docs/results/")
)
NOT_RUN = re.compile(r"<!-- not run: (?P<reason>\S.*?) -->\s*", re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A block of code.

    Attributes:
        page: Its page, relative to the repository.
        line: Number of its first line.
        language: What the fence says; empty for an indented block.
        code: What is in it.
        reason: Why it is not run, from the comment above it; empty if it is run.
    """

    page: str
    line: int
    language: str
    code: str
    reason: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def parsed(page: Path) -> list[Token]:
    """The tokens of a page."""
    return MarkdownIt("commonmark").enable("table").parse(page.read_text(encoding="utf-8"))


def blocks(page: Path) -> list[Block]:
    """The blocks of code of a page, in order; directives of the docs' generator are none."""
    found = []
    above: Token | None = None
    for token in parsed(page):
        if token.type in ("fence", "code_block") and not token.info.startswith("{"):
            comment = NOT_RUN.fullmatch(above.content) if above is not None and above.type == "html_block" else None
            name = page.relative_to(ROOT).as_posix()
            assert token.map is not None
            reason = " ".join(comment["reason"].split()) if comment else ""
            found.append(Block(name, token.map[0] + 1, token.info.strip(), token.content, reason))
        above = token
    return found


def links(page: Path) -> list[str]:
    """The targets of the links and pictures of a page."""
    inline = [child for token in parsed(page) for child in token.children or ()]
    targets = (
        child.attrGet("href") or child.attrGet("src") for child in inline if child.type in ("link_open", "image")
    )
    return [str(target) for target in targets if target]


def anchors(page: Path) -> set[str]:
    """The names that headings of a page can be linked by."""
    tokens = parsed(page)
    titles = (tokens[place + 1].content for place, token in enumerate(tokens) if token.type == "heading_open")
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
