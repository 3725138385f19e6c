"""What an hour of land and Richards would take on many processes, by the division, the waves and measured unit costs.

    python benchmarks/simulated_processes.py FOLDER [--copies 4] [--ranks 4 --ranks 64 ...]

The domain is COPIES x COPIES copies of the Pearl River's, side by side. It is divided as a run divides it; then each
process starts a wave of a pass when it has ended the one before and when the messages that the wave needs have come.
What a column takes, and what a message, are measured on one machine (`richards_step.py`, `colm_columns.py`,
`processes.py`) and given as options. Not in it: output, what the machine's network is busy with otherwise, and columns
that need more Newton iterations than others.
"""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from bmi_common.fields import read_pfb
from bmi_common.flow_order import FlowNetwork, build_network
from bmi_common.partition import divide, waves

SPACING = 961.72  # m
LAYERS = 11
PASSES = 2


def network_of(folder: Path, copies: int) -> tuple[NDArray[np.bool_], FlowNetwork]:
    def field(name: str) -> NDArray[np.float64]:
        return np.tile(read_pfb(folder / "pearl_river" / f"unname.{name}.pfb")[0], (copies, copies))

    slope_x, slope_y, manning = field("slopex"), field("slopey"), field("manning")
    mask = np.ones(slope_x.shape, dtype=bool)
    return mask, build_network(mask, slope_x, slope_y, manning, SPACING, SPACING)


def simulate(
    mask: NDArray[np.bool_],
    network: FlowNetwork,
    ranks: int,
    land: float,
    groundwater: float,
    latency: float,
    rate: float,
) -> dict[str, float]:
    """Seconds of an hour, and where they go.

    Parameters
    ----------
    land, groundwater : float
        Seconds of a column and hour, all passes together.
    latency, rate : float
        Of a message [s], and bytes a second.
    """
    owner = divide(mask, ranks, None, network.cycles)
    wave = waves(network, owner).reshape(-1)[network.cells]
    rank = owner.reshape(-1)[network.cells]
    columns = np.bincount(rank, minlength=ranks)
    waiting: dict[tuple[int, int], set[tuple[int, int]]] = defaultdict(set)  # by rank and wave: rank and wave of donors
    receiver = np.tile(np.arange(rank.size), 4)[network.donor.ravel() > 0]
    giver = network.donor.ravel()[network.donor.ravel() > 0] - 1
    crosses = rank[giver] != rank[receiver]
    for of_receiver, receiver_wave, of_giver, giver_wave in {
        *zip(
            rank[receiver[crosses]].tolist(),
            wave[receiver[crosses]].tolist(),
            rank[giver[crosses]].tolist(),
            wave[giver[crosses]].tolist(),
            strict=True,
        )
    }:
        waiting[of_receiver, receiver_wave].add((of_giver, giver_wave))
    count = np.zeros((ranks, int(wave.max()) + 1), dtype=np.int64)
    np.add.at(count, (rank, wave), 1)
    per_pass = groundwater / PASSES
    ended = np.zeros(ranks)
    end_of: dict[tuple[int, int], float] = {}
    for w in range(count.shape[1]):
        for r in np.flatnonzero(count[:, w]).tolist():
            ready = max((end_of[donor] + latency for donor in waiting[r, w]), default=0.0)
            ended[r] = max(ended[r], ready) + count[r, w] * per_pass
            end_of[r, w] = ended[r]
    edges = _edge_columns(owner)
    halo = 4 * latency + edges.max() * 2 * LAYERS * 8 / rate
    agree = 2.0 * np.ceil(np.log2(max(ranks, 2))) * latency
    passes = PASSES * (float(ended.max()) + halo + agree)
    total = passes + float(columns.max()) * land
    serial = rank.size * (land + groundwater)
    return {
        "ranks": ranks,
        "columns of the largest part": float(columns.max()),
        "in wave 0 [%]": 100.0 * float((wave == 0).mean()),
        "waves": float(wave.max() + 1),
        "seconds": total,
        "times one": serial / total,
        "efficiency": serial / total / ranks,
        "lost to uneven parts": float(columns.max()) * ranks / rank.size - 1.0,
        "lost to waves": PASSES * (float(ended.max()) - float(columns.max()) * per_pass) / total,
        "lost to messages": PASSES * (halo + agree) / total,
    }


def _edge_columns(owner: NDArray[np.int32]) -> NDArray[np.int64]:
    """Columns at the edge of each part."""
    count = np.zeros(int(owner.max()) + 1, dtype=np.int64)
    for one, other in ((owner[:, :-1], owner[:, 1:]), (owner[:-1], owner[1:])):
        apart = one != other
        np.add.at(count, one[apart], 1)
        np.add.at(count, other[apart], 1)
    return count


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True))
@click.option("--copies", default=4, show_default=True)
@click.option("--ranks", multiple=True, type=int, default=(4, 16, 64, 256, 1024), show_default=True)
@click.option("--land", default=7.0e-6, show_default=True, help="Seconds of a column and hour.")
@click.option("--groundwater", default=4.0e-6, show_default=True, help="Seconds of a column and hour, both passes.")
@click.option("--latency", default=10.0e-6, show_default=True, help="Of a message [s].")
@click.option("--rate", default=1.0e9, show_default=True, help="Bytes a second.")
@click.option("--json", "file", type=click.Path(path_type=Path), help="Write the table here, too.")
def main(
    folder: Path,
    copies: int,
    ranks: tuple[int, ...],
    land: float,
    groundwater: float,
    latency: float,
    rate: float,
    file: Path | None,
) -> None:
    mask, network = network_of(folder, copies)
    rows = [simulate(mask, network, n, land, groundwater, latency, rate) for n in ranks]
    table = Table(title=f"{int(mask.sum())} columns; {network.levels} levels")
    for name in rows[0]:
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(*(f"{value:.4g}" for value in row.values()))
    Console().print(table)
    if file is not None:
        file.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
