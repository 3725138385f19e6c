"""The notes that lie beside an imported run."""

from __future__ import annotations

from collections.abc import Iterable

from rootzone.parflow_import.definition import Definition
from rootzone.parflow_import.notices import Notes


def markdown(definition: Definition, notes: Notes, with_land: bool) -> str:
    """Write what became of a definition as Markdown."""
    parts = [f"# Imported from {definition.path.name}", _summary(notes, with_land)]
    parts += _section("Differences from the run in ParFlow", notes.notices)
    parts += _section("Left out as asked", (f"`{key}`: {reason}" for key, reason in notes.ignored))
    parts += ["## What became of what", _mapped(notes)]
    parts += _section(
        "Without effect here (numerics, output, settings that nothing refers to)", _list(notes.passed_over)
    )
    parts += _section("No keys of ParFlow, which never reads them", _list(notes.unread))
    return "\n\n".join(parts) + "\n"


def _summary(notes: Notes, with_land: bool) -> str:
    """Say in a few lines what the user gets."""
    lines = [
        "Groundwater and overland flow: ParFlow's equations, solved another way. Driven by the same sources, heads "
        "were within 1e-6 m (root mean square) of ParFlow 3.15 in all runs over level layers that it was compared with"
        + (", but for what is left out below." if notes.ignored else ", but for the differences below.")
    ]
    if with_land:
        lines.append(
            "Land: another model, CoLM in the place of ParFlow's CLM. Evapotranspiration and infiltration differ, and "
            "with them the heads: over two autumn days of Upper Verde it evaporated 5.2 mm where CLM had 2.3 mm; "
            "docs/against_parflow.md compares both for two watersheds."
        )
    return "\n\n".join(lines)


def _mapped(notes: Notes) -> str:
    rows = [f"| {source} | {target} |" for source, target in notes.mapped]
    return "\n".join(["| ParFlow | here |", "|---|---|", *rows])


def _list(keys: Iterable[str]) -> list[str]:
    spelled = ", ".join(f"`{key}`" for key in sorted(keys))
    return [spelled] if spelled else []


def _section(title: str, entries: Iterable[str]) -> list[str]:
    items = [f"- {entry}" for entry in entries]
    return [f"## {title}", "\n".join(items)] if items else []
