"""Wells, which take water from the ground or bring it there, and intakes from rivers.

Equations (8c) and (8d) of docs/theory.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field, field_validator, model_validator

from bmi_common.arrays import Array
from bmi_common.config import Config
from bmi_common.domain import Domain
from bmi_common.errors import ConfigError, Mistakes, errors_under
from bmi_common.irrigation import Irrigation, IrrigationConfig
from bmi_common.places import PlaceConfig
from bmi_common.rates import Rate, RateConfig
from bmi_common.world import World

LARGEST_FLUX = 100.0
"""Of a well over the area of its cell [m h-1]; more is a slip of units."""
LARGEST_HEAD = 1.0e4
"""That a well can hold [m]; more is a height above the sea."""
LARGEST_IRRIGATION = 0.5
"""Depth that irrigated cells can get [m h-1]; more is a slip of units."""


class Action(StrEnum):
    """What a well does."""

    EXTRACTION = "extraction"
    INJECTION = "injection"


class Takes(StrEnum):
    """What an extraction takes."""

    GROUNDWATER = "groundwater"
    """Water of the layers of the screen."""
    RIVER = "river"
    """Water that stands on the ground of the cell, and no more."""


class Share(StrEnum):
    """What the rate is shared by, among the layers that a screen reaches."""

    LENGTH = "length"
    """Length of the screen in a layer."""
    TRANSMISSIVITY = "transmissivity"
    """Horizontal conductivity of the layer times that length."""


class WellConfig(Config):
    """A well, or an intake from a river.

    Attributes
    ----------
    name : str
        By which it is published.
    cell : PlaceConfig
        Where it is.
    takes : Takes
        What an extraction takes.
    screen : (float, float), optional
        Top and bottom of the screen [m] below the ground.
    share : Share
        What the rate is shared by, among the layers that the screen reaches.
    layers : mapping of int to float, optional
        In the place of a screen, shares of layers, 0 the bottom, in the rate; their sum counts as 1.
    rate : RateConfig, optional
        Water taken or brought [m3 h-1], not negative.
    head : RateConfig, optional
        In the place of a rate, the hydraulic head [m] above the bottom of the domain that the layers are held at.
    action : Action
        Whether water is taken or brought at a rate.
    irrigates : IrrigationConfig, optional
        Cells that get the water in the next step; by default it leaves the model.
    """

    name: Annotated[str, Field(min_length=1)]
    cell: PlaceConfig
    takes: Takes = Takes.GROUNDWATER
    screen: tuple[Annotated[float, Field(ge=0, allow_inf_nan=False)], Annotated[float, Field(gt=0)]] | None = None
    share: Share = Share.LENGTH
    layers: Annotated[dict[Annotated[int, Field(ge=0)], Annotated[float, Field(ge=0)]], Field(min_length=1)] | None = (
        None
    )
    rate: RateConfig | None = None
    head: RateConfig | None = None
    action: Action = Action.EXTRACTION
    irrigates: IrrigationConfig | None = None

    @field_validator("screen")
    @classmethod
    def _downwards(cls, screen: tuple[float, float] | None) -> tuple[float, float] | None:
        if screen is not None and not screen[0] < screen[1]:
            raise ValueError(f"give its top and its bottom in metres below the ground, got {list(screen)}")
        return screen

    @field_validator("layers")
    @classmethod
    def _some_share(cls, layers: dict[int, float] | None) -> dict[int, float] | None:
        if layers is not None and not 0.0 < sum(layers.values()) < np.inf:
            raise ValueError("the shares must be finite, and one of them above 0")
        return layers

    @model_validator(mode="after")
    def _rate_or_head(self) -> WellConfig:
        if (self.rate is None) == (self.head is None):
            raise ValueError("give either rate [m3 h-1] or head [m]")
        idle = [key for key in ("takes", "share", "action", "irrigates") if key in self.model_fields_set]
        if self.head is not None and idle:
            raise ValueError(f"{', '.join(idle)}: without effect beside head, which takes and brings what it needs")
        return self

    @model_validator(mode="after")
    def _fits_together(self) -> WellConfig:
        if self.takes is Takes.RIVER:
            idle = [key for key in ("screen", "share", "layers") if key in self.model_fields_set]
            if idle:
                raise ValueError(f"{', '.join(idle)}: without effect beside `takes: river`")
            if self.action is Action.INJECTION:
                raise ValueError("action: nothing is taken by an injection, so that `takes: river` has no meaning")
        elif (self.screen is None) == (self.layers is None):
            raise ValueError("give either screen, [top, bottom] in metres below the ground, or layers and their shares")
        if self.layers is not None and "share" in self.model_fields_set:
            raise ValueError("share: without effect beside layers, which have their shares")
        if self.irrigates is not None and self.action is Action.INJECTION:
            raise ValueError("irrigates: an injection brings water into the ground and has none to give")
        return self

    @property
    def files(self) -> tuple[Path, ...]:
        """Files that it is read from."""
        parts = (self.rate, self.head, self.irrigates)
        return tuple(file for part in parts if part is not None for file in part.files)

    def read(self, domain: Domain, start: datetime | None = None) -> Well:
        """Find cell and layers, and read what is in files; a series with dates begins with `start` (UTC).

        Raises
        ------
        ConfigError
            For each mistake, naming the key below the well's.
        """
        mistakes = Mistakes()
        cell, rate, irrigation = None, None, None
        with mistakes.noted(), errors_under("cell"):
            cell = self.cell.cell_here(domain)
        with mistakes.noted(), errors_under("rate" if self.head is None else "head"):
            rate = self._read_rate(domain, start)
        with mistakes.noted(), errors_under("irrigates"):
            irrigation = None if self.irrigates is None else self.irrigates.read(domain)
        with mistakes.noted():
            self._require_layers(domain, domain.nz if cell is None else _layers_of(domain, cell))
        mistakes.require_none()
        assert rate is not None
        well = Well(
            name=self.name,
            cell=cell,
            takes=self.takes,
            shares=np.zeros(domain.nz) if cell is None else self._shares(domain, cell),
            rate=rate,
            action=self.action,
            irrigation=irrigation,
            holds=self.head is not None,
        )
        self._require_possible(well, domain)
        return well

    def _read_rate(self, domain: Domain, start: datetime | None) -> Rate:
        name, units, spec = ("rate", "m3 h-1", self.rate) if self.head is None else ("head", "m", self.head)
        assert spec is not None
        rate = spec.read(name, units, domain, start)
        if rate.values.ndim > 1:
            raise ConfigError("a map; a well needs one value, or one for each interval of time")
        if self.head is not None:
            most = float(np.abs(rate.values).max())
            if not most <= LARGEST_HEAD:
                raise ConfigError(f"must lie between {-LARGEST_HEAD:g} and {LARGEST_HEAD:g} m, got {most:g}")
        elif not rate.values.min() >= 0.0:
            raise ConfigError(
                f"must be at least 0 m3 h-1, got {rate.values.min():g}; `action` says whether water is taken "
                "(extraction) or brought (injection)"
            )
        return rate

    def _require_layers(self, domain: Domain, layers: int) -> None:
        depth = float(domain.dz[:layers].sum())
        if self.screen is not None and self.screen[1] > depth * (1.0 + 1.0e-9):
            raise ConfigError(
                f"ends {self.screen[1]:g} m below the ground; the domain is {depth:g} m deep", key="screen"
            )
        if self.layers is not None and max(self.layers) >= layers:
            raise ConfigError(f"the domain has layers 0 to {layers - 1}, got {max(self.layers)}", key="layers")

    def _shares(self, domain: Domain, cell: tuple[int, int]) -> Array:
        shares, layers = np.zeros(domain.nz), _layers_of(domain, cell)
        if self.layers is not None:
            shares[list(self.layers)] = list(self.layers.values())
        elif self.screen is not None:
            shares[:layers] = lengths_in_layers(domain.dz[:layers], *self.screen)
            if self.share is Share.TRANSMISSIVITY:
                along = [domain.require(f"conductivity_{axis}", "`share: transmissivity`") for axis in "xy"]
                shares = shares * np.sqrt(along[0][:, *cell] * along[1][:, *cell])
                if not shares.any():
                    raise ConfigError("the layers of the screen have no horizontal conductivity", key="share")
        else:
            shares[layers - 1] = 1.0
        return np.asarray(shares / shares.sum())

    def _require_possible(self, well: Well, domain: Domain) -> None:
        if well.holds:
            return
        area, most = domain.dx * domain.dy, float(well.rate.values.max())
        if most > LARGEST_FLUX * area:
            raise ConfigError(
                f"at most {LARGEST_FLUX:g} m h-1 over the area of the cell, which are {LARGEST_FLUX * area:g} m3 h-1, "
                f"got {most:g} m3 h-1",
                key="rate",
            )
        if well.irrigation is not None:
            depth = most / (well.irrigation.count * area)
            if depth > LARGEST_IRRIGATION:
                raise ConfigError(
                    f"the irrigated cells would get {depth:g} m h-1 of water, more than {LARGEST_IRRIGATION:g}",
                    key="irrigates",
                )


def _layers_of(domain: Domain, cell: tuple[int, int]) -> int:
    """Return the number of layers of a column."""
    return domain.nz if domain.top_layer is None else int(domain.top_layer[cell]) + 1


def lengths_in_layers(dz: Array, top: float, bottom: float) -> Array:
    """Length [m] of a screen from `top` to `bottom` [m] below the ground in layers of `dz` [m], bottom first."""
    upper = np.append(np.cumsum(dz[::-1])[:-1][::-1], 0.0)  # depths of their upper faces
    return np.asarray(np.clip(np.minimum(upper + dz, bottom) - np.maximum(upper, top), 0.0, None))


@dataclass(frozen=True)
class Well:
    """A well, or an intake from a river.

    Attributes
    ----------
    name : str
        By which it is published.
    cell : (int, int), optional
        Row and column (j, i); None where another part of the domain has it.
    takes : Takes
        What an extraction takes.
    shares : ndarray, shape (nz,)
        Of the layers in the rate; their sum is 1, and 0 where another part has the cell.
    rate : Rate
        Water taken or brought [m3 h-1], not negative; of a well that holds a head, the hydraulic head [m] above the
        bottom of the domain.
    action : Action
        Whether water is taken or brought at the rate.
    irrigation : Irrigation, optional
        What it irrigates.
    holds : bool
        Whether it holds its layers at a head, by what it takes or brings.
    """

    name: str
    cell: tuple[int, int] | None
    takes: Takes
    shares: Array
    rate: Rate
    action: Action
    irrigation: Irrigation | None = None
    holds: bool = False

    @property
    def sign(self) -> float:
        """1 for water that is brought, -1 for water that is taken."""
        return 1.0 if self.action is Action.INJECTION else -1.0

    def __str__(self) -> str:
        if self.takes is Takes.RIVER:
            where = "from the river"
        else:
            layers = np.flatnonzero(self.shares)
            each = ", ".join(f"{k}" if self.holds else f"{k}: {self.shares[k]:.3g}" for k in layers)
            where = f"in {'layer' if len(layers) == 1 else 'layers'} {each}"
        least, most = float(self.rate.values.min()), float(self.rate.values.max())
        rate = f"{most:g}" if least == most else f"{least:g} to {most:g}"
        does = f"a head of {rate} m" if self.holds else f"{self.action} of {rate} m3 h-1"
        at = "in another part" if self.cell is None else f"cell x = {self.cell[1]}, y = {self.cell[0]}"
        text = f"well {self.name}: {does} {where}, {at}"
        if self.irrigation is None:
            return text
        return f"{text}; irrigates {self.irrigation.count} cells ({self.irrigation.method})"


@dataclass(frozen=True)
class WellWater:
    """Water of wells in a step [m3].

    Attributes
    ----------
    wells : sequence of Well
        Them.
    taken : ndarray, shape (wells,)
        Taken by each; negative where it is brought.
    unmet : ndarray, shape (wells,)
        What each should have taken beyond that.
    """

    wells: Sequence[Well]
    taken: Array
    unmet: Array

    @classmethod
    def within(cls, wells: Sequence[Well], start: float, hours: float, room: Array) -> tuple[WellWater, list[Array]]:
        """Take what wells at a rate should take in a step of some hours from a time [h] on, as far as it is there.

        Parameters
        ----------
        wells : sequence of Well
            In the order in which they are served; those of other processes take nothing here.
        start, hours : float
            Of the step [h].
        room : ndarray, shape (nz, ny, nx)
            Water that each cell can give [m3], at least 0; what wells take is subtracted, what they bring added.

        Returns
        -------
        WellWater
        list of ndarray, shape (nz,)
            Water that each well takes from the layers of its column [m3], negative where it is brought.
        """
        asked = np.array([-well.sign * float(well.rate.mean(start, hours)) * hours for well in wells])
        unmet, taken = np.zeros(len(wells)), []
        for number, well in enumerate(wells):
            wanted = asked[number] * well.shares
            if well.cell is None:  # another process takes it
                asked[number] = 0.0
                taken.append(np.zeros_like(wanted))
                continue
            taken.append(np.minimum(wanted, room[:, *well.cell]))
            room[:, *well.cell] -= taken[-1]
            unmet[number] = (wanted - taken[-1]).sum()
        return cls(wells, asked - unmet, unmet), taken

    def of_all(self, world: World) -> WellWater:
        """Put together what all parts of the domain have told of their wells."""
        every = np.array(world.sum(*self.taken.tolist(), *self.unmet.tolist()))
        return WellWater(self.wells, *np.split(every, 2)) if self.wells else self

    @property
    def extraction(self) -> float:
        """Taken, and gone from the model."""
        return float(sum(max(volume, 0.0) for well, volume in self._each if well.irrigation is None))

    @property
    def withdrawal(self) -> float:
        """Taken for irrigation."""
        return float(sum(volume for well, volume in self._each if well.irrigation is not None))

    @property
    def injection(self) -> float:
        """Brought into the ground."""
        return float(sum(max(-volume, 0.0) for _, volume in self._each))

    @property
    def unmet_extraction(self) -> float:
        """What should have been taken beyond that."""
        return float(self.unmet.sum())

    @property
    def supplies(self) -> list[tuple[Irrigation, float]]:
        """What is irrigated, and the volume taken for it."""
        return [(well.irrigation, float(volume)) for well, volume in self._each if well.irrigation is not None]

    @property
    def _each(self) -> Iterator[tuple[Well, float]]:
        return zip(self.wells, self.taken, strict=True)


def read_wells(specs: Sequence[WellConfig], domain: Domain, start: datetime | None = None) -> tuple[Well, ...]:
    """Read wells; series with dates begin with `start` (UTC).

    Raises
    ------
    ConfigError
        For each mistake, naming the key, and for two wells of one name.
    """
    mistakes = Mistakes()
    wells: list[Well] = []
    known: dict[str, int] = {}
    for number, spec in enumerate(specs):
        first = known.setdefault(spec.name, number)
        if first != number:
            mistakes.note(ConfigError(f"well {first}, too, is named {spec.name!r}", key=f"wells.{number}.name"))
        with mistakes.noted(), errors_under(f"wells.{number}"):
            wells.append(spec.read(domain, start))
    mistakes.require_none()
    _require_held_once(wells)
    return tuple(wells)


def _require_held_once(wells: Sequence[Well]) -> None:
    held: dict[tuple[int, int, int], int] = {}
    for number, well in enumerate(wells):
        for layer in np.flatnonzero(well.shares) if well.holds and well.cell is not None else ():
            assert well.cell is not None
            first = held.setdefault((int(layer), *well.cell), number)
            if first != number:
                raise ConfigError(f"holds a cell that well {first} holds, too", key=f"wells.{number}.head")
