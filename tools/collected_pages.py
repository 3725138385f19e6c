"""Write docs/performance.md and docs/limits.md from README.md and the other pages, so that no number is kept twice."""

from __future__ import annotations

import re

import page

README = page.DOCS.parent / "README.md"
COSTS = "What it costs and how close it is"
LIMITS = "Limits"
OWN = ("limits.md", "performance.md")

PERFORMANCE = """# Performance and accuracy

Every number stands with the command that gives it. Machines differ; compare rows, not machines.

{costs}

## Further tables

| what | command | where |
|---|---|---|
| Richards solver against ParFlow and against analytic solutions | `pytest tests/bmi_richards` | \
[How close and how fast](groundwater.md#how-close-and-how-fast) |
| seconds a step and Newton iterations of the Richards solver, beside ParFlow's | \
`python benchmarks/richards_step.py --reference FOLDER --hours 24` | \
[How close and how fast](groundwater.md#how-close-and-how-fast) |
| land against the published library, by climate | `python benchmarks/colm_reference.py FOLDER --table FILE` | \
[Against the published library](land.md#against-the-published-library) |
| your own ParFlow: seconds an hour | `python benchmarks/parflow_hour.py` | \
[What it costs](parflow.md#what-it-costs) |
| your own ParFlow: differences | `PARFLOW_DIR=… pytest tests/bmi_parflow` | \
[How close it is](parflow.md#how-close-it-is) |
| your own CoLM: cost of the exchange | | [Cost](colm_library.md#cost) |
| trained surrogate in the test year, every criterion | `make train-demo` | \
[What came out](training.md#what-came-out) |
| variants of the surrogates, trained and untrained | `python benchmarks/surrogate_variants.py` | \
[Variants](training.md#variants) |
| seconds of a surrogate's hour | `python benchmarks/surrogate_step.py` | |
| seconds that the coupler adds | `python benchmarks/coupler_overhead.py` | |
| ParFlow's Little Washita case, imported | `python benchmarks/little_washita.py FOLDER --output DIR` | \
[Little Washita](from_parflow.md#little-washita) |
"""

ALL_LIMITS = """# Limits

What the package does not do, does only roughly, or has not been tried on.

## Of the whole

{whole}

{parts}
"""


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


def performance() -> str:
    """Return the page of performance and accuracy."""
    return PERFORMANCE.format(costs=_from_readme(COSTS))


def limits() -> str:
    """Return the page of limits: those of README.md, then of every page that has a section of them."""
    parts = []
    for path in sorted(page.DOCS.glob("*.md")):
        text = path.read_text(encoding="utf-8")
        if path.name in OWN or f"\n## {LIMITS}\n" not in text:
            continue
        title = text[2 : text.index("\n")] if text.startswith("# ") else path.stem
        parts.append(f"## [{title}]({path.name})\n\n{section(text, LIMITS)}\n")
    return ALL_LIMITS.format(whole=_from_readme(LIMITS), parts="\n".join(parts).strip())


def _from_readme(title: str) -> str:
    return section(README.read_text(encoding="utf-8"), title).replace("](docs/", "](")


if __name__ == "__main__":
    page.write("performance.md", "collected_pages.py", performance())
    page.write("limits.md", "collected_pages.py", limits())
