"""The call of ``clm_lsm_c``: its 86 arguments, and the arrays among them.

CoLM gets the active columns of a block side by side in one row, as a grid of n x 1 cells with one ghost cell on every
side. Columns do not see each other, so where they lie does not matter, and the rules for inactive cells (the first
cell of a block must be active) hold by construction. Only the root zone is given: CoLM uses no deeper layers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

SYMBOL = "clm_lsm_c"

LAYERS = 10
"""Soil layers of the published CoLM, which its call cannot change."""

VOLUMES_IN = ("pressure", "saturation", "topo", "porosity", "pf_dz_mult")
FORCING = ("sw", "lw", "prcp", "tas", "u", "v", "patm", "qatm")
IGNORED = ("lai", "sai", "z0m", "displa", "slope_x", "slope_y", "qirr", "irr_flag")
FLUXES = (
    *("eflx_lh", "eflx_lwrad", "eflx_sh", "eflx_grnd", "qflx_tot", "qflx_grnd", "qflx_soi", "qflx_eveg", "qflx_tveg"),
    *("qflx_in", "swe", "t_g"),
)

Value = int | float | str
Argument = tuple[Literal["array", "int", "double", "text", "step", "time"], Value]
"""Kind and value; an array's value is its name, and step and time are filled in by every call."""

Shape = tuple[int, ...]
Shapes = dict[str, Shape]


@dataclass(frozen=True)
class Call:
    """What stays the same in all calls of a block.

    Attributes
    ----------
    columns : int
        Active columns.
    rank : int
        Number of the block; names its restart files.
    dx, dy : float
        Cell size [m].
    time_step : float
        Length of a step [h].
    evaporation_factor, water_stress : int
        CoLM's ``beta_type`` and ``veg_water_stress_type``.
    wilting_point, field_capacity, residual_saturation : float
        As in the configuration.
    """

    columns: int
    rank: int
    dx: float
    dy: float
    time_step: float
    evaporation_factor: int
    water_stress: int
    wilting_point: float
    field_capacity: float
    residual_saturation: float

    def input_shapes(self) -> Shapes:
        """Shapes of the arrays that the caller fills, ghost cells included."""
        volume, surface, soil = self._shapes()
        return dict.fromkeys(VOLUMES_IN, volume) | dict.fromkeys((*FORCING, *IGNORED), surface) | {"qirr_inst": soil}

    def output_shapes(self) -> Shapes:
        """Shapes of the arrays that the library fills; it leaves parts of them as they are."""
        volume, surface, soil = self._shapes()
        return {"evap_trans": volume, **dict.fromkeys(FLUXES, surface), "t_soi": soil}

    def _shapes(self) -> tuple[Shape, Shape, Shape]:
        row = (3, self.columns + 2)
        return (LAYERS + 2, *row), (3, *row), (LAYERS + 2, *row)

    def arguments(self) -> list[Argument]:
        """Return the 86 arguments in order."""
        n, nz = self.columns, LAYERS
        folder = "."
        return [
            *_arrays("pressure", "saturation", "evap_trans", "topo", "porosity", "pf_dz_mult"),
            ("step", 0),
            ("double", self.time_step),
            ("time", 0.0),
            ("double", 0.0),  # start_time; a call at this time initialises
            *_doubles(self.dx, self.dy, 1.0),  # pdz; pf_dz_mult holds the thickness itself
            *_ints(0, 0),  # ix, iy
            *_ints(n, 1, nz),  # nx, ny, nz
            *_ints(n + 2, 3, nz + 2),  # the same with ghost cells
            *_ints(nz, 0, 1, 1, 1),  # nz_rz, ip, npp, npq, npr
            *_ints(n, 1, self.rank),  # gnx, gny, rank
            *_arrays(*FORCING),
            *_arrays("lai", "sai", "z0m", "displa", "slope_x", "slope_y"),
            *_arrays(*FLUXES, "t_soi"),
            *_ints(1, 0, 0),  # dump_interval, 1d_out, forc_veg
            ("text", folder),  # output_dir
            *_ints(len(folder), 0, 0, 0),  # its length, bin_output_dir, write_binary, slope_accounting
            *_ints(self.evaporation_factor, self.water_stress),
            *_doubles(self.wilting_point, self.field_capacity, self.residual_saturation),
            *_ints(0, 0),  # irrigation type, cycle
            *_doubles(0.0, 0.0, 0.0, 0.0),  # its rate, start, stop, threshold
            *_arrays("qirr", "qirr_inst", "irr_flag"),
            *_ints(0, nz, 1, 0, 0, 0),  # irr_thresholdtype, soi_z, next, write_logs, last_rst, daily_rst
            *_ints(nz, nz),  # nlevsoi, nlevlak
        ]


def _arrays(*names: str) -> list[Argument]:
    return [("array", name) for name in names]


def _ints(*values: int) -> list[Argument]:
    return [("int", value) for value in values]


def _doubles(*values: float) -> list[Argument]:
    return [("double", value) for value in values]
