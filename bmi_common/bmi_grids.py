"""BMI's functions that tell of grids."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from bmipy import Bmi
from numpy.typing import NDArray

from bmi_common.errors import UnknownNameError
from bmi_common.grids import Grid


class GridFunctions(Bmi):
    """Component that has its grids as `Grid`."""

    component_name: ClassVar[str]

    @abstractmethod
    def _grids(self) -> Mapping[int, Grid]:
        """Return the grids by identifier."""

    def _grid(self, grid: int) -> Grid:
        known = self._grids()
        try:
            return known[grid]
        except KeyError:
            raise UnknownNameError(f"{self.component_name} has no grid {grid}; it has {sorted(known)}") from None

    def _axis(self, grid: int, axis_from_last: int, letter: str) -> NDArray[np.float64]:
        g = self._grid(grid)
        if g.rank < axis_from_last:
            raise UnknownNameError(f"{self.component_name}: grid {grid} ({g.type}) has no {letter} coordinate")
        return g.coordinates[-axis_from_last]

    def get_grid_type(self, grid: int) -> str:
        """Type of the grid."""
        return self._grid(grid).type

    def get_grid_rank(self, grid: int) -> int:
        """Count the dimensions of the grid."""
        return self._grid(grid).rank

    def get_grid_size(self, grid: int) -> int:
        """Count the cells of the grid."""
        return self._grid(grid).size

    def get_grid_shape(self, grid: int, shape: NDArray[np.int_]) -> NDArray[np.int_]:
        """Shape of the grid, slowest dimension (z or y) first."""
        g = self._grid(grid)
        if g.is_points:
            raise NotImplementedError(f"{self.component_name}.get_grid_shape: points have no shape; see get_grid_size")
        shape[:] = g.shape
        return shape

    def get_grid_spacing(self, grid: int, spacing: NDArray[np.float64]) -> NDArray[np.float64]:
        """Spacing [m] of a uniform grid, in the order of its shape."""
        spacing[:] = self._uniform(grid).spacing
        return spacing

    def get_grid_origin(self, grid: int, origin: NDArray[np.float64]) -> NDArray[np.float64]:
        """Centre [m] of the first cell of a uniform grid, in the order of its shape."""
        origin[:] = [c[0] for c in self._uniform(grid).coordinates]
        return origin

    def _uniform(self, grid: int) -> Grid:
        g = self._grid(grid)
        if g.type != "uniform_rectilinear":
            raise UnknownNameError(f"{self.component_name}: grid {grid} ({g.type}) has no uniform spacing")
        return g

    def get_grid_x(self, grid: int, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Cell-centre x [m] of the columns, west to east."""
        x[:] = self._axis(grid, 1, "x")
        return x

    def get_grid_y(self, grid: int, y: NDArray[np.float64]) -> NDArray[np.float64]:
        """Cell-centre y [m] of the rows, south to north."""
        y[:] = self._axis(grid, 2, "y")
        return y

    def get_grid_z(self, grid: int, z: NDArray[np.float64]) -> NDArray[np.float64]:
        """Nominal heights [m] of layer centres above the bottom, bottom first."""
        z[:] = self._axis(grid, 3, "z")
        return z

    def grid_labels(self, grid: int) -> tuple[str, ...]:
        """Names of the points of the grid, in order; empty for other grids. No part of BMI."""
        return self._grid(grid).labels

    def get_grid_node_count(self, grid: int) -> int:
        """Count the nodes of the grid: its cell centres."""
        return self._grid(grid).size

    def _without_edges(self, function: str, grid: int) -> None:
        if not self._grid(grid).is_points:
            raise NotImplementedError(f"{self.component_name}.{function}: only unstructured grids have edges and faces")

    def get_grid_edge_count(self, grid: int) -> int:
        """Count the edges: points have none; not defined for structured grids."""
        self._without_edges("get_grid_edge_count", grid)
        return 0

    def get_grid_face_count(self, grid: int) -> int:
        """Count the faces: points have none; not defined for structured grids."""
        self._without_edges("get_grid_face_count", grid)
        return 0

    def get_grid_edge_nodes(self, grid: int, edge_nodes: NDArray[np.int_]) -> NDArray[np.int_]:
        """Nodes of no edges; not defined for structured grids."""
        self._without_edges("get_grid_edge_nodes", grid)
        return edge_nodes

    def get_grid_face_edges(self, grid: int, face_edges: NDArray[np.int_]) -> NDArray[np.int_]:
        """Edges of no faces; not defined for structured grids."""
        self._without_edges("get_grid_face_edges", grid)
        return face_edges

    def get_grid_face_nodes(self, grid: int, face_nodes: NDArray[np.int_]) -> NDArray[np.int_]:
        """Nodes of no faces; not defined for structured grids."""
        self._without_edges("get_grid_face_nodes", grid)
        return face_nodes

    def get_grid_nodes_per_face(self, grid: int, nodes_per_face: NDArray[np.int_]) -> NDArray[np.int_]:
        """Count the nodes of no faces; not defined for structured grids."""
        self._without_edges("get_grid_nodes_per_face", grid)
        return nodes_per_face
