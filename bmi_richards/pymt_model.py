"""The embedded Richards solver as pymt takes it."""

from __future__ import annotations

from bmi_richards.bmi import BmiRichards


class Richards(BmiRichards):
    """`BmiRichards` whose gauges lie on a grid of type ``points``.

    BMI knows gauges as ``points`` or as ``unstructured`` without faces. pymt cannot read the latter, bmi-test not the
    former.
    """

    def get_grid_type(self, grid: int) -> str:
        """Type of the grid."""
        return "points" if self._grid(grid).is_points else super().get_grid_type(grid)
