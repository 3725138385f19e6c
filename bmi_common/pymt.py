"""Components as models of pymt, the Python Modeling Toolkit of CSDMS."""

from __future__ import annotations

from bmi_common.bmi_grids import GridFunctions


class PymtRules(GridFunctions):
    """Component whose gauges and wells lie on grids of type ``points``; a mixin, before the component in the bases.

    BMI knows them as ``points`` or as ``unstructured`` without faces. pymt cannot read the latter, bmi-test not the
    former.
    """

    def get_grid_type(self, grid: int) -> str:
        """Type of the grid."""
        return "points" if self._grid(grid).is_points else super().get_grid_type(grid)
