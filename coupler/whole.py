"""What components of several processes are as a whole: their grids, cells and values, for files of the whole domain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from bmipy import Bmi
from numpy.typing import NDArray

from bmi_common.errors import ConfigError
from bmi_common.georeference import Georeference
from bmi_common.groundwater import LAYER_THICKNESS
from bmi_common.partition import Part
from coupler.component import Component
from coupler.component_config import ComponentConfig
from coupler.grids import GridInfo

Array = NDArray[Any]


def whole(part: Part | None, values: Array) -> Array | None:
    """Put the windows of all parts together, in process 0; values that are no map are the same in all processes.

    Without a part, and in process 0 of what is no map, the values themselves; None in the other processes.
    """
    if part is None:
        return values
    if values.shape[-2:] == part.mask.shape and values.ndim >= 2:
        return part.whole(values)
    return values if part.world.leads else None


def window(part: Part | None, values: Array | None) -> Array:
    """Give every process its window of values that process 0 has; the reverse of `whole`."""
    if part is None:
        assert values is not None
        return values
    is_map = part.world.shared(values is not None and values.shape[-2:] == part.shape and values.ndim >= 2)
    found: Array = part.windows(values) if is_map else part.world.shared(values)
    return found


def require_shareable(component: Component, spec: ComponentConfig, key: str) -> None:
    """Refuse a component whose domain several processes cannot share.

    Raises
    ------
    ConfigError
        Naming the key.
    """
    if spec.grpc is not None or spec.isolate or not component.runs_in_parts:
        raise ConfigError(
            f"{spec.class_path or spec.grpc} cannot share its domain with other processes"
            f"{' where it runs in one of its own' if spec.isolate else ''}; bmi_colm:BmiColm, "
            "bmi_richards:BmiRichards, bmi_surrogate:BmiSurrogate and bmi_common.prescribed:PrescribedSource can; "
            "start one process",
            key=key,
        )


class WholeComponent:
    """A component as files of the whole domain have it, in process 0; all processes create it together.

    Parameters
    ----------
    component : Component
        That of this process.
    mask : ndarray of bool, optional
        Its cells (ny, nx).
    gathers : bool
        Whether process 0 gets the cells of all layers; without it, there are grids only.

    Attributes
    ----------
    layer_thickness : ndarray or None
        See the function of that name.
    """

    def __init__(
        self,
        component: Component,
        mask: NDArray[np.bool_] | None = None,
        gathers: bool = True,
    ) -> None:
        self._component, self._part = component, component.part
        part = component.part
        self.georeference = component.georeference
        self.mask = None if mask is None or not gathers else whole(part, mask)
        layers = getattr(component.bmi, "layer_mask", None)
        self._layers = None if layers is None or not gathers else whole(part, np.asarray(layers, dtype=bool))
        self.layer_thickness = layer_thickness(component)
        self._axes: Mapping[str, Array | None] = {}
        if part is not None:
            self._axes = _whole_axes(component, part)
            self.georeference = _whole_place(component.georeference, part)

    @property
    def component(self) -> Component:
        """That of this process."""
        return self._component

    @property
    def name(self) -> str:
        """Name in the run."""
        return self._component.name

    @property
    def bmi(self) -> Bmi:
        """The BMI object of this process."""
        return self._component.bmi

    @property
    def static(self) -> bool:
        """Whether its values never change."""
        return self._component.static

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the output variables."""
        return self._component.outputs

    @property
    def time_step(self) -> float:
        """Its own step [s]."""
        return self._component.time_step

    def units(self, variable: str) -> str:
        """Units of a variable."""
        return self._component.units(variable)

    def grid(self, variable: str) -> GridInfo:
        """Grid of a variable."""
        grid, part = self._component.grid(variable), self._part
        if part is None or len(grid.shape) < 2 or grid.shape[-2:] != part.mask.shape:
            return grid
        return replace(grid, shape=(*grid.shape[:-2], *part.shape), y=self._axes["y"], x=self._axes["x"])

    def shape(self, variable: str) -> tuple[int, ...]:
        """Grid shape of a variable."""
        return self.grid(variable).shape

    def cells_of(self, variable: str, columns: NDArray[np.bool_] | None) -> NDArray[np.bool_] | None:
        """Cells of a variable that count; see `Component.cells_of`, whose `columns` are those of this process."""
        if self._part is None:
            return self._component.cells_of(variable, columns)
        shape, layers = self.shape(variable), self._layers
        if layers is None or len(shape) != 3 or shape[0] > len(layers):
            return None if columns is None else self.mask
        return np.asarray(layers[-shape[0] :], dtype=bool)


def layer_thickness(component: Component) -> Array | None:
    """Return the thickness [m] of each layer, the bottom one first; None if the component has no layers.

    Where it varies from place to place, the largest. Processes that share the component call it together.
    """
    if LAYER_THICKNESS not in component.outputs:
        return None
    values = component.get_in("m", LAYER_THICKNESS)
    values = values.reshape(values.shape[0], -1)
    largest = np.max(values, axis=1, where=~np.isnan(values), initial=-np.inf)
    if component.part is not None:
        largest = np.array(component.part.world.largest(*largest.tolist()))
    return np.where(np.isneginf(largest), np.nan, largest)


def _whole_axes(component: Component, part: Part) -> Mapping[str, Array | None]:
    """Coordinates of the rows and columns of the whole domain, in process 0."""
    maps = [v for v in component.outputs if component.grid(v).shape[-2:] == part.mask.shape]
    grid = component.grid(maps[0]) if maps else None
    found: dict[str, Array | None] = {"y": None, "x": None}
    for letter, size in zip("yx", part.shape, strict=True):
        axis = None if grid is None else getattr(grid, letter)
        parts = part.world.collected((part.rows if letter == "y" else part.columns, axis))
        if parts is None or axis is None:
            continue
        every = np.empty(size)
        for place, values in parts:
            every[place] = values
        found[letter] = every
    return found


def _whole_place(place: Georeference | None, part: Part) -> Georeference | None:
    if place is None:
        return None
    latitude, longitude = (None if m is None else part.whole(m) for m in (place.latitude, place.longitude))
    return replace(place, latitude=latitude, longitude=longitude)
