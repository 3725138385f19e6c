"""What the generated pages of the documentation have in common."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table; bars within cells are escaped."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def write(name: str, tool: str, text: str) -> None:
    """Write a page into the documentation; see `marked`."""
    (DOCS / name).write_text(marked(tool, text), encoding="utf-8")


def marked(tool: str, text: str) -> str:
    """Return the page with a comment that says what makes it."""
    return f"<!-- Made by tools/{tool}; change that, or the code that it reads, and run `make docs`. -->\n\n{text}"


def section(text: str, title: str) -> str:
    """Return what stands under a heading of the second level, without the heading.

    Raises
    ------
    ValueError
        If there is no such heading.
    """
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    if found is None:
        raise ValueError(f"no heading '## {title}'")
    return found.group(1).strip()
