"""Hours of the land that rounding decides: air warmer by 0.0001 K, and the latent heat moves.

    python benchmarks/leaf_flips.py FOLDER [--nudge 1e-4] [--json FILE]

The columns and weather are those of the published library's reference runs (`colm_reference.py`): 18 columns a climate
for about a year. Every hour is computed twice from the same state, once with air that is warmer by `--nudge`; counted
are the column-hours whose latent heat differs by more than a limit, for each way to find the temperature of leaves.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click
import numpy as np
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))
from colm_reference import Case, sensitivity

from bmi_colm.columns import ColumnConfig, FrozenSoil, LeafIteration

CASES = ("humid", "dry", "cold")
LIMITS = (0.1, 1.0, 10.0, 50.0)  # W m-2
NUMERICS = {
    "published_numerics, frozen_soil: reference": ColumnConfig(
        published_numerics=True, frozen_soil=FrozenSoil.REFERENCE
    ),
    "published_numerics": ColumnConfig(published_numerics=True),
    "default": ColumnConfig(),
    "leaf_iteration: settled": ColumnConfig(leaf_iteration=LeafIteration.SETTLED),
}


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--nudge", default=1.0e-4, show_default=True, help="Of the air [K].")
@click.option("--case", "cases", multiple=True, type=click.Choice(CASES), default=CASES, show_default=True)
@click.option("--json", "file", type=click.Path(path_type=Path), help="Write the table here, too.")
def main(folder: Path, nudge: float, cases: tuple[str, ...], file: Path | None) -> None:
    """Count in the reference cases of FOLDER."""
    table = Table(title=f"column-hours whose latent heat moves with air warmer by {nudge:g} K")
    for heading in ("numerics", "climate", "column-hours", *(f"> {limit:g} W m-2" for limit in LIMITS), "largest"):
        table.add_column(heading, justify="left" if heading in ("numerics", "climate") else "right")
    rows = []
    for name, options in NUMERICS.items():
        found = [np.abs(sensitivity(Case.load(folder, case), options, nudge)).ravel() for case in cases]
        for climate, moved in zip((*cases, "all"), (*found, np.concatenate(found)), strict=True):
            counts = {f"above {limit:g} W m-2": int((moved > limit).sum()) for limit in LIMITS}
            rows.append({"numerics": name, "climate": climate, "column-hours": moved.size, **counts})
            table.add_row(name, climate, str(moved.size), *map(str, counts.values()), f"{moved.max():.0f}")
    Console(width=140).print(table)
    if file is not None:
        file.write_text(json.dumps({"nudge": nudge, "rows": rows}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
