"""A groundwater component that goes along with the run, under the same sources, without being part of it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bmi_common.errors import ConfigError, errors_under
from bmi_common.groundwater import LAYER_THICKNESS, NET_SOURCE, PRESSURE_HEAD
from bmi_common.units import conversion
from bmi_common.world import current
from coupler.component import Component
from coupler.component_config import ComponentConfig, RunSettings, component_file
from coupler.error_control.deviation import NEEDED
from coupler.grids import map_grids
from coupler.whole import require_shareable

PREFIX = "error_control."
"""Of the names of shadows; no component of a run can have a dot in its name."""


class Shadow:
    """A component beside the run.

    Parameters
    ----------
    key : str
        Where it stands in ``coupled.yaml`` below `error_control`.
    component : Component
        Initialized.
    groundwater : Component
        The component of the run that it goes along with.

    Raises
    ------
    ConfigError
        If the two have not the same grid, layers, units or cells.
    """

    def __init__(self, key: str, component: Component, groundwater: Component) -> None:
        self.key = key
        self.component = component
        self._require_comparable(groundwater)

    @classmethod
    def load(cls, key: str, spec: ComponentConfig, groundwater: Component, settings: RunSettings) -> Shadow:
        """Import and initialize a component.

        Raises
        ------
        ConfigError
            Naming the key, if that fails or it cannot go along.
        """
        name = PREFIX + key
        if spec.static:
            raise ConfigError("what goes along with the run makes its steps; leave `static` out", key=f"{name}.static")
        component = Component.of(name, spec, name)
        if current().size > 1:
            require_shareable(component, spec, name)
        component.initialize(component_file(name, spec, name, settings, component.takes_end))
        try:
            return cls(key, component, groundwater)
        except BaseException:
            component.finalize()
            raise

    @property
    def head(self) -> NDArray[Any]:
        """Copy of the pressure head as it is now, in the component's units."""
        return self.component.get(PRESSURE_HEAD).copy()

    def take_head(self, head: NDArray[Any]) -> None:
        """Replace the pressure head."""
        self.component.set(PRESSURE_HEAD, head)

    def catch_up(self, groundwater: Component) -> None:
        """Set the clock to that of the run, because cycles and series of the configuration follow it."""
        self.component.skip(groundwater.time)

    def follow(self, groundwater: Component, seconds: float) -> None:
        """Make the step that the run's component has just made, under the same source."""
        self.component.set(NET_SOURCE, groundwater.get(NET_SOURCE))
        self.component.advance(self.component.time + seconds)

    def require_replacement(self, groundwater: Component) -> None:
        """Check that the component can stand in for that of the run.

        Raises
        ------
        ConfigError
            Naming what it lacks.
        """
        mine, instead = self.component, f"it cannot take the place of {groundwater.name}"
        needed = (*groundwater.outputs, *groundwater.inputs)
        lacking = [v for v in needed if v not in self._known]
        if lacking:
            raise mine.mistake(f"{instead}, because it has no {lacking[0]!r}")
        for variable in needed:
            here, there = mine.units(variable), groundwater.units(variable)
            if here != there:
                raise mine.mistake(f"{instead}: {variable} is in {here!r}, not {there!r}")
        if mine.time_step != groundwater.time_step:
            raise mine.mistake(
                f"its step is {mine.time_step:g} s, that of {groundwater.name} is {groundwater.time_step:g} s; "
                "to take its place it needs the same"
            )

    @property
    def _known(self) -> tuple[str, ...]:
        return (*self.component.outputs, *self.component.inputs)

    def _require_comparable(self, groundwater: Component) -> None:
        mine = self.component
        for variable in (*NEEDED, NET_SOURCE):
            if variable not in self._known:
                raise mine.mistake(f"it has no {variable}, which error control needs")
            here, there = mine.units(variable), groundwater.units(variable)
            if not conversion(here, there).is_identity:
                raise mine.mistake(f"{variable} is in {here!r}, in {groundwater.name} in {there!r}")
            grids = groundwater.grid(variable), mine.grid(variable)
            with errors_under(mine.name):
                onto = map_grids(f"{variable} of it and of {groundwater.name}", *grids)
            if not onto.is_identity:
                raise mine.mistake(f"{variable} has other layers than that of {groundwater.name}")
        cells, others = mine.mask, groundwater.mask
        if cells is not None and others is not None and (cells != others).any():
            raise mine.mistake(
                f"{int((cells != others).sum())} cells are active in only one of it and {groundwater.name}; "
                "give both the same domain"
            )
        if not np.allclose(mine.get(LAYER_THICKNESS), groundwater.get(LAYER_THICKNESS), rtol=1e-6, equal_nan=True):
            raise mine.mistake(f"its layers are not as thick as those of {groundwater.name}")
