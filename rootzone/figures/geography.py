"""What maps of a run are drawn over: the outline of its cells and its rivers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from numpy.typing import NDArray

from bmi_common.arrays import Array
from bmi_common.domain import Domain
from bmi_common.domain_checks import drained_area, network_of
from bmi_common.errors import RootzoneError
from bmi_common.flow_order import FlowNetwork
from rootzone.evaluation.run_record import domain_of

_METRES_PER_KILOMETRE = 1000.0
_RIVER = 0.02
"""Share of the domain that drains through a cell of a river, at least."""
_GATHERS = 0.2
"""Share that drains through the largest river of a basin, at least: over a plane water runs side by side."""


@dataclass(frozen=True)
class Rivers:
    """Reaches between neighbouring cells.

    Attributes
    ----------
    begin, end : ndarray of int, shape (reaches, 2)
        Row and column of the upper and of the lower cell.
    share : ndarray, shape (reaches,)
        Share of the domain that drains through the upper cell.
    """

    begin: NDArray[np.intp]
    end: NDArray[np.intp]
    share: Array


def rivers_of(network: FlowNetwork, nx: int) -> Rivers:
    """Find the rivers, where overland flow gathers, on a grid of `nx` columns."""
    share = drained_area(network, 1.0) / network.cells.size
    begin, end, size = [], [], []
    for donors in network.donor:
        fed = np.flatnonzero(donors)
        giver = donors[fed] - 1
        large = (share[giver] >= _RIVER) & (share[fed] >= share[giver])
        begin.append(network.cells[giver[large]])
        end.append(network.cells[fed[large]])
        size.append(share[giver[large]])
    if share.max() < _GATHERS:
        nothing = np.zeros((0, 2), dtype=np.intp)
        return Rivers(nothing, nothing, np.zeros(0))
    upper, lower = (np.stack(divmod(np.concatenate(cells), nx), axis=-1) for cells in (begin, end))
    return Rivers(upper, lower, np.concatenate(size))


def rivers_of_run(folder: Path) -> Rivers | None:
    """Find the rivers of a run's domain; None where its groundwater names no domain with slopes."""
    try:
        return rivers_of_domain(domain_of(folder))
    except RootzoneError:
        return None


def rivers_of_domain(domain: Domain) -> Rivers | None:
    """Find the rivers of a domain; None without slopes."""
    if domain.slope_x is None or domain.slope_y is None:
        return None
    return rivers_of(network_of(domain), domain.nx)


def draw_outline(axes: Axes, there: NDArray[np.bool_], x: Array, y: Array) -> None:
    """Draw the edges between cells that are `there` (ny, nx) and others; `x` and `y` are centres [km]."""
    padded = np.pad(there, 1)
    edge_x, edge_y = edges(x), edges(y)
    lines = []
    j, i = np.nonzero(padded[1:-1, 1:] != padded[1:-1, :-1])
    lines += [((edge_x[a], edge_y[b]), (edge_x[a], edge_y[b + 1])) for b, a in zip(j, i, strict=True)]
    j, i = np.nonzero(padded[1:, 1:-1] != padded[:-1, 1:-1])
    lines += [((edge_x[a], edge_y[b]), (edge_x[a + 1], edge_y[b])) for b, a in zip(j, i, strict=True)]
    axes.add_collection(LineCollection(lines, colors="0.25", linewidths=0.7))


def draw_rivers(axes: Axes, rivers: Rivers, x: Array, y: Array) -> None:
    """Draw reaches from centre to centre, wider where more drains through them."""
    begin = np.stack((x[rivers.begin[:, 1]], y[rivers.begin[:, 0]]), axis=-1)
    end = np.stack((x[rivers.end[:, 1]], y[rivers.end[:, 0]]), axis=-1)
    widths = 0.4 + 1.4 * np.sqrt(rivers.share)
    axes.add_collection(
        LineCollection(list(np.stack((begin, end), axis=1)), colors="#1f4e79", linewidths=widths, alpha=0.8)
    )


def kilometres(metres: Array) -> Array:
    """Convert to km."""
    return metres / _METRES_PER_KILOMETRE


def edges(centres: Array) -> Array:
    """Edges of cells from their centres, which are evenly apart."""
    step = centres[1] - centres[0] if centres.size > 1 else 1.0
    return np.append(centres - 0.5 * step, centres[-1] + 0.5 * step)
