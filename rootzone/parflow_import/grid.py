"""ParFlow's computational grid."""

from __future__ import annotations

from dataclasses import dataclass

from rootzone.parflow_import.definition import Definition

MOST_CELLS = 10**9
"""A field of as many takes 8 GB; more are a slip of the pen, and would be asked of the machine in vain."""


@dataclass(frozen=True)
class ParflowGrid:
    """Cells and their nominal size [m], before layers are scaled; (x0, y0, z0) [m] is the lower corner."""

    nx: int
    ny: int
    nz: int
    dx: float
    dy: float
    dz: float
    x0: float = 0.0
    y0: float = 0.0
    z0: float = 0.0

    @property
    def shape(self) -> tuple[int, int, int]:
        """Layers, rows, columns."""
        return self.nz, self.ny, self.nx

    @property
    def surface(self) -> tuple[int, int]:
        """Rows, columns."""
        return self.ny, self.nx


def read_grid(definition: Definition) -> ParflowGrid:
    """Read ``ComputationalGrid``.

    Raises
    ------
    ConfigError
        For a missing or impossible number.
    """

    def count(axis: str) -> int:
        key = f"ComputationalGrid.N{axis}"
        value = definition.integer(key)
        if value < 1:
            raise definition.error(key, f"must be at least 1, got {value}")
        return value

    def size(axis: str) -> float:
        key = f"ComputationalGrid.D{axis}"
        value = definition.number(key)
        if not value > 0:
            raise definition.error(key, f"must be above 0 m, got {value:g}")
        return value

    lower = {axis: definition.number(f"ComputationalGrid.Lower.{axis}", 0.0) for axis in "XYZ"}
    nx, ny, nz = count("X"), count("Y"), count("Z")
    if nx * ny * nz > MOST_CELLS:
        raise definition.error(
            "ComputationalGrid.NX", f"NX {nx} times NY {ny} times NZ {nz} are more than {MOST_CELLS:g} cells"
        )
    return ParflowGrid(nx, ny, nz, size("X"), size("Y"), size("Z"), lower["X"], lower["Y"], lower["Z"])
