"""What the component says of its grids."""

from __future__ import annotations

from math import prod

import numpy as np
from numpy.typing import NDArray

from bmi_conformance.outcome import NotApplicable, optional, require, skipped_only_if_all
from bmi_conformance.subject import Instance, Subject

_STRUCTURED = ("uniform_rectilinear", "rectilinear", "structured_quadrilateral")
_TYPES = (*_STRUCTURED, "unstructured", "scalar", "points", "vector", "none")


def _grids(run: Instance) -> list[int]:
    grids = list(dict.fromkeys(int(run.bmi.get_var_grid(name)) for name in run.names))
    if not grids:
        raise NotApplicable("the component has no variables, and so no grids")
    return grids


def _shape(run: Instance, grid: int) -> tuple[int, ...]:
    rank = int(run.bmi.get_grid_rank(grid))
    return tuple(int(n) for n in optional(run.bmi.get_grid_shape, grid, np.empty(rank, dtype=np.int64)))


def grid_sizes(subject: Subject) -> None:
    """Type, rank, shape, size and number of nodes of every grid agree."""
    with subject.running() as run:
        for grid in _grids(run):
            bmi = run.bmi
            kind, rank, size = str(bmi.get_grid_type(grid)), int(bmi.get_grid_rank(grid)), int(bmi.get_grid_size(grid))
            require(kind in _TYPES, f"grid {grid}: {kind!r} is no grid type of BMI; they are {', '.join(_TYPES)}")
            require(size >= 0, f"grid {grid}: get_grid_size gives {size}")
            if kind == "scalar":
                require((rank, size) == (0, 1), f"grid {grid}: a scalar of rank {rank} and size {size}")
            else:
                require(1 <= rank <= 3 or kind == "none", f"grid {grid} ({kind}): rank {rank}")
            if kind in _STRUCTURED:
                shape = _shape(run, grid)
                require(min(shape) > 0, f"grid {grid}: shape {shape}")
                require(prod(shape) == size, f"grid {grid}: size {size}, but the shape {shape} has {prod(shape)}")
            try:
                nodes = int(bmi.get_grid_node_count(grid))
            except NotImplementedError:
                continue
            if kind in (*_STRUCTURED, "unstructured"):
                require(nodes == size, f"grid {grid}: {nodes} nodes, but size {size}")


def grid_coordinates(subject: Subject) -> None:
    """Spacing, origin and coordinates are finite, ordered and agree with each other, x along the last dimension."""
    with subject.running() as run, skipped_only_if_all("grids with coordinates") as tally:
        for grid in _grids(run):
            kind = str(run.bmi.get_grid_type(grid))
            if kind == "uniform_rectilinear":
                with tally.one():
                    _uniform(run, grid)
            elif kind in ("rectilinear", "structured_quadrilateral", "unstructured"):
                with tally.one():
                    _axes(run, grid, kind)


def _uniform(run: Instance, grid: int) -> None:
    shape = _shape(run, grid)
    spacing = np.array(optional(run.bmi.get_grid_spacing, grid, np.full(len(shape), np.nan)))
    origin = np.array(optional(run.bmi.get_grid_origin, grid, np.full(len(shape), np.nan)))
    require(np.isfinite(spacing).all() and (spacing > 0).all(), f"grid {grid}: spacing {spacing}")
    require(np.isfinite(origin).all(), f"grid {grid}: origin {origin}")
    for letter, n, step, first in zip("xyz", shape[::-1], spacing[::-1], origin[::-1], strict=False):
        try:
            axis = getattr(run.bmi, f"get_grid_{letter}")(grid, np.full(n, np.nan))
        except NotImplementedError:
            continue  # told by spacing and origin
        expected = first + step * np.arange(n)
        close = np.allclose(axis, expected, rtol=1e-9, atol=1e-6 * step)
        require(close, f"grid {grid}: {letter} is {axis[:3]} ..., by origin and spacing {expected[:3]} ...")


def _axes(run: Instance, grid: int, kind: str) -> None:
    if kind == "rectilinear":
        lengths = _shape(run, grid)[::-1]
    else:
        count = int(run.bmi.get_grid_size(grid))
        lengths = (count,) * (int(run.bmi.get_grid_rank(grid)))
    for letter, n in zip("xyz", lengths, strict=False):
        axis = np.array(optional(getattr(run.bmi, f"get_grid_{letter}"), grid, np.full(n, np.nan)))
        require(np.isfinite(axis).all(), f"grid {grid}: {letter} has values that are not finite, or not all are given")
        if kind == "rectilinear":
            steps = np.diff(axis)
            ordered = (steps > 0).all() or (steps < 0).all()
            require(ordered, f"grid {grid}: {letter} neither rises nor falls all along: {axis[:4]} ...")


def grid_topology(subject: Subject) -> None:
    """Edges and faces of unstructured grids name nodes and edges that exist, and as many as are counted."""
    with subject.running() as run, skipped_only_if_all("unstructured grids") as tally:
        for grid in _grids(run):
            if run.bmi.get_grid_type(grid) == "unstructured":
                with tally.one():
                    _topology(run, grid)


def _topology(run: Instance, grid: int) -> None:
    bmi = run.bmi
    nodes, edges, faces = (
        int(optional(getattr(bmi, f"get_grid_{thing}_count"), grid)) for thing in ("node", "edge", "face")
    )
    unset = -1
    per_face = np.array(optional(bmi.get_grid_nodes_per_face, grid, np.full(faces, unset)))
    require((per_face >= 3).all(), f"grid {grid}: faces of {per_face[per_face < 3][:3]} nodes")
    total = int(per_face.sum())
    _within(grid, "edge_nodes", np.array(optional(bmi.get_grid_edge_nodes, grid, np.full(2 * edges, unset))), nodes)
    _within(grid, "face_nodes", np.array(optional(bmi.get_grid_face_nodes, grid, np.full(total, unset))), nodes)
    _within(grid, "face_edges", np.array(optional(bmi.get_grid_face_edges, grid, np.full(total, unset))), edges)


def _within(grid: int, what: str, indices: NDArray[np.int_], count: int) -> None:
    inside = (indices >= 0).all() and (indices < count).all()
    require(inside, f"grid {grid}: get_grid_{what} names others than 0 to {count - 1}, or leaves some out")
