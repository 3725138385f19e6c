"""Water that a run has gained or lost without a cause, over many steps."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class WaterError:
    """Residuals of the water balance of many steps, summed in both ways, beside what they are measured by.

    Attributes
    ----------
    net : float
        Sum of the residuals [m3], positive where water came from nowhere; gains and losses cancel.
    absolute : float
        Sum of the sizes of the residuals [m3]; nothing cancels.
    turnover : float
        Sum of the water turned over [m3].
    """

    net: float
    absolute: float
    turnover: float

    @property
    def net_fraction(self) -> float:
        """Size of the net residual over the turnover [-]; NaN where nothing is turned over."""
        return abs(self.net) / self.turnover if self.turnover > 0.0 else float("nan")

    @property
    def absolute_fraction(self) -> float:
        """Absolute residual over the turnover [-]; NaN where nothing is turned over."""
        return self.absolute / self.turnover if self.turnover > 0.0 else float("nan")

    def __str__(self) -> str:
        if not self.turnover > 0.0:
            return f"unexplained: {self.net:.3g} m3 net, {self.absolute:.3g} m3 if nothing cancels"
        return (
            f"unexplained: {self.net:.3g} m3 net ({100.0 * self.net_fraction:.2g} % of the {self.turnover:.3g} m3 "
            f"turned over), {self.absolute:.3g} m3 ({100.0 * self.absolute_fraction:.2g} %) if nothing cancels"
        )

    def attributes(self) -> dict[str, float]:
        """Numbers for a file, with units in their names."""
        return {
            "net_residual_m3": self.net,
            "absolute_residual_m3": self.absolute,
            "turnover_m3": self.turnover,
        }
