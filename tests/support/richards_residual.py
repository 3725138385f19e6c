"""The equations of the Richards solver, written down a second time: cell by cell, and as slow as that is."""

from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
from numpy.typing import NDArray

from bmi_common.boundary_conditions import Conditions
from bmi_common.overland import SurfaceCondition
from bmi_common.slopes import SlopeFormulation

Floats = NDArray[np.float64]
Cell = tuple[int, int, int]
STEPS = {"west": (0, -1), "east": (0, 1), "south": (-1, 0), "north": (1, 0)}


def residual(
    domain: SimpleNamespace, conditions: Conditions, before: Floats, after: Floats, source: Floats, hour: float
) -> Floats:
    """Water that each cell gains and nothing explains over an hour [m], (nz, ny, nx); 0 where there is none."""
    nz, ny, nx = after.shape
    dz, mask = domain.dz, domain.mask
    area = {"x": domain.dx, "y": domain.dy}
    left = np.zeros(after.shape)
    tops = np.full(mask.shape, nz - 1) if domain.top_layer is None else domain.top_layer
    ponds = np.take_along_axis(after, tops[np.newaxis], axis=0)[0]

    def water(k: int, j: int, i: int, h: float) -> float:
        saturation, _ = soil(domain, (k, j, i), h)
        return dz[k] * saturation * (domain.porosity[k, j, i] + domain.specific_storage[k, j, i] * h)

    def upwind(drop: float, first: tuple[Cell, float], second: tuple[Cell, float]) -> float:
        cell, h = first if drop > 0.0 else second
        return soil(domain, cell, h)[1]

    def factor(axis: str, cell: Cell) -> float:
        return 1.0 if conditions.barriers is None else float(getattr(conditions.barriers, axis)[cell])

    def active(j: int, i: int) -> bool:
        return 0 <= j < ny and 0 <= i < nx and bool(mask[j, i])

    for j, i in np.argwhere(mask):
        for k in range(tops[j, i] + 1):
            cell, h = (k, j, i), after[k, j, i]
            left[cell] += water(*cell, h) - water(*cell, before[cell]) - dz[k] * source[cell]
            if k < tops[j, i]:
                above, h_above = (k + 1, j, i), after[k + 1, j, i]
                k1, k2 = domain.conductivity_z[cell], domain.conductivity_z[above]
                mean = (dz[k] + dz[k + 1]) / (dz[k] / k1 + dz[k + 1] / k2)
                drop = (h - h_above) / (0.5 * (dz[k] + dz[k + 1])) - 1.0
                flux = mean * upwind(drop, (cell, h), (above, h_above)) * drop * factor("z", cell)
                left[cell] += flux
                left[above] -= flux
            for axis, (dj, di) in (("x", (0, 1)), ("y", (1, 0))):
                if not active(j + dj, i + di) or k > tops[j + dj, i + di]:
                    continue
                other, h_other = (k, j + dj, i + di), after[k, j + dj, i + di]
                conductivity = getattr(domain, f"conductivity_{axis}")
                mean = 2.0 / (1.0 / conductivity[cell] + 1.0 / conductivity[other])
                fall, cosine = slopes_at(domain, axis, cell, other)
                drop = (h - h_other) / area[axis] * cosine - fall
                flux = mean * upwind(drop, (cell, h), (other, h_other)) * drop * factor(axis, cell)
                left[cell] += flux * dz[k] / area[axis]
                left[other] -= flux * dz[k] / area[axis]
        top = (int(tops[j, i]), j, i)
        if conditions.surface is not SurfaceCondition.CLOSED:
            left[top] += max(after[top], 0.0)
        if conditions.surface in (SurfaceCondition.OVERLAND_KINEMATIC, SurfaceCondition.OVERLAND_FLOW):
            left[top] -= max(before[top], 0.0)
            for side, (dj, di) in STEPS.items():
                out, width = overland_out(domain, conditions.surface, ponds, (j, i), side, active), side
                out /= domain.dx if width in ("west", "east") else domain.dy
                left[top] += out
                if active(j + dj, i + di):
                    left[tops[j + dj, i + di], j + dj, i + di] -= out
        if conditions.surface_flux is not None:
            left[top] -= at(conditions.surface_flux.mean(hour, 1.0), j, i)
    centres = np.cumsum(dz) - 0.5 * dz
    for boundary in conditions.boundaries:
        for k, j, i in np.argwhere(boundary.faces):
            if k > tops[j, i]:
                continue
            upwards = {"bottom": 1.0, "top": -1.0}.get(boundary.side, 0.0)
            axis = "z" if upwards else "x" if boundary.side in ("west", "east") else "y"
            share = 1.0 if upwards else dz[k] / area[axis]
            if boundary.flux is not None:
                left[k, j, i] -= share * at(boundary.flux.mean(hour, 1.0), j, i)
                continue
            assert boundary.head is not None
            outside = at(boundary.head.mean(hour, 1.0), j, i) - (centres[k] - 0.5 * dz[k] * upwards)
            distance = 0.5 * (dz[k] if upwards else area[axis])
            drop = (outside - after[k, j, i]) / distance - upwards
            kr = upwind(drop, ((k, j, i), outside), ((k, j, i), after[k, j, i]))
            left[k, j, i] -= share * getattr(domain, f"conductivity_{axis}")[k, j, i] * kr * drop
    return left


def at(value: Floats, j: int, i: int) -> float:
    """Value of a number or a map."""
    return float(value if value.ndim == 0 else value[j, i])


def soil(domain: SimpleNamespace, cell: Cell, h: float) -> tuple[float, float]:
    """Saturation and relative permeability after van Genuchten and Mualem."""
    low, high = domain.residual_saturation[cell], domain.maximum_saturation[cell]
    if h >= 0.0:
        return high, 1.0

    def effective(alpha: float, n: float) -> float:
        return float((1.0 + (-alpha * h) ** n) ** -(1.0 - 1.0 / n))

    held = effective(domain.alpha[cell], domain.n[cell])
    alpha, n = domain.relative_permeability_alpha, domain.relative_permeability_n
    flowing = held if alpha is None else effective(alpha[cell], n[cell])
    m = 1.0 - 1.0 / (domain.n if n is None else n)[cell]
    return low + (high - low) * held, np.sqrt(flowing) * (1.0 - (1.0 - flowing ** (1.0 / m)) ** m) ** 2


def slopes_at(domain: SimpleNamespace, axis: str, cell: Cell, other: Cell) -> tuple[float, float]:
    """Fall and cosine of the face between two cells."""
    slope = getattr(domain, f"slope_{axis}")
    own, next_one = (np.arctan(slope[c[1:]]) for c in (cell, other))
    if domain.slope_formulation is SlopeFormulation.LEVEL:
        return 0.0, 1.0
    if domain.slope_formulation is SlopeFormulation.UPWIND:
        return float(slope[cell[1:]]), 1.0
    if domain.slope_formulation is SlopeFormulation.UPWIND_SINE:
        return np.sin(own), np.cos(own)
    return 0.5 * (np.sin(own) + np.sin(next_one)), 0.5 * (np.cos(own) + np.cos(next_one))


def overland_out(
    domain: SimpleNamespace,
    condition: SurfaceCondition,
    head: Floats,
    cell: tuple[int, int],
    side: str,
    active: Callable[[int, int], bool],
) -> float:
    """Water that leaves a cell over one of its edges, per length of the edge [m2 h-1]."""
    j, i = cell
    depth = max(head[cell], 0.0)
    slope = domain.slope_x if side in ("west", "east") else domain.slope_y
    falls = 1.0 if side in ("west", "south") else -1.0
    if condition is SurfaceCondition.OVERLAND_FLOW:
        down = falls * slope[cell]
        return np.sqrt(down) / (domain.manning[cell] / 3600.0) * depth ** (5.0 / 3.0) if down > 0.0 else 0.0
    # slope and roughness of a face are those of its western (southern) cell, if there is one
    dj, di = STEPS[side]
    owner = (j + dj, i + di) if falls > 0.0 and active(j + dj, i + di) else cell
    down = falls * slope[owner]
    if down <= 0.0:
        return 0.0
    steepness = max(np.hypot(domain.slope_x[owner], domain.slope_y[owner]), 1e-5)
    return down / (domain.manning[owner] / 3600.0 * np.sqrt(steepness)) * depth ** (5.0 / 3.0)
