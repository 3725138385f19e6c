"""The notes that lie beside an imported run."""

from __future__ import annotations

from collections.abc import Iterable

from rootzone.parflow_import.definition import Definition
from rootzone.parflow_import.notices import Notes


def markdown(definition: Definition, notes: Notes) -> str:
    """Write what became of a definition as Markdown."""
    parts = [f"# Imported from {definition.path.name}", _mapped(notes)]
    parts += _section("Differences from the run in ParFlow", notes.notices)
    parts += _section("Left out as asked", (f"`{key}`: {reason}" for key, reason in notes.ignored))
    parts += _section(
        "Without effect here (numerics, output, settings that nothing refers to)", _list(notes.passed_over)
    )
    parts += _section("No keys of ParFlow, which never reads them", _list(notes.unread))
    return "\n\n".join(parts) + "\n"


def _mapped(notes: Notes) -> str:
    rows = [f"| {source} | {target} |" for source, target in notes.mapped]
    return "\n".join(["| ParFlow | here |", "|---|---|", *rows])


def _list(keys: Iterable[str]) -> list[str]:
    spelled = ", ".join(f"`{key}`" for key in sorted(keys))
    return [spelled] if spelled else []


def _section(title: str, entries: Iterable[str]) -> list[str]:
    items = [f"- {entry}" for entry in entries]
    return [f"## {title}", "\n".join(items)] if items else []
