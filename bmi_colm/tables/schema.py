"""What may stand in tables of vegetation and soil, and in a user's changes to them."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal, NamedTuple

from pydantic import BeforeValidator, PrivateAttr, RootModel, ValidationInfo, field_validator, model_validator

from bmi_common.config import Config, load_nested
from bmi_common.errors import describe_range, out_of_range

Pair = tuple[float, float]
"""(visible, near infrared)."""


class Bounds(NamedTuple):
    """Values that are physically possible, both ends included."""

    low: float
    high: float
    units: str

    def __str__(self) -> str:
        return describe_range(self.low, self.high, self.units)

    def check(self, *values: float) -> None:
        """Raise `ValueError` for a value outside."""
        for value in values:
            if not self.low <= value <= self.high:
                raise ValueError(out_of_range(value, *self))


_AREA: Final = Bounds(0.0, 15.0, "m2 m-2")
_SHARE: Final = Bounds(0.0, 1.0, "1")

VEGETATION_BOUNDS: Final = MappingProxyType(
    {
        "canopy_height": Bounds(0.05, 120.0, "m"),
        "leaf_angle": Bounds(-0.4, 0.6, "1"),
        "carboxylation_capacity": Bounds(1.0e-6, 3.0e-4, "mol m-2 s-1"),
        "heat_stress_temperature": Bounds(280.0, 340.0, "K"),
        "leaf_area_minimum": _AREA,
        "leaf_area_maximum": _AREA,
        "stem_area": _AREA,
        "root_depth_50": Bounds(0.1, 1000.0, "cm"),
        "root_exponent": Bounds(-10.0, -0.1, "1"),
        "inverse_root_leaf_size": Bounds(0.5, 50.0, "m-1/2"),
        "quantum_efficiency": Bounds(0.01, 0.125, "mol mol-1"),
        "heat_stress_slope": Bounds(0.01, 2.0, "K-1"),
        "water_cost_of_carbon": Bounds(1.0, 1.0e5, "mol mol-1"),
        "initial_roughness_ratio": Bounds(1.0e-3, 1.0, "1"),
    }
)
"""By attribute of `bmi_colm.tables.Vegetation`."""

SOIL_BOUNDS: Final = MappingProxyType(
    {
        "sand": Bounds(0.0, 100.0, "%"),
        "clay": Bounds(0.0, 100.0, "%"),
        "gravel": Bounds(0.0, 95.0, "%"),
        "organic_carbon": Bounds(0.0, 60.0, "%"),
        "bulk_density": Bounds(0.02, 2.7, "g cm-3"),
        "quartz": _SHARE,
    }
)
"""By attribute of `bmi_colm.soil.SoilTexture` and of texture classes."""

MISSING_AS_WRITTEN: Final = MappingProxyType(
    {
        "leaf_area_minimum": "leaf_area",
        "leaf_area_maximum": "leaf_area",
        "leaf_reflectance": "leaf.reflectance",
        "leaf_transmittance": "leaf.transmittance",
        "stem_reflectance": "stem.reflectance",
        "stem_transmittance": "stem.transmittance",
    }
)
"""How the YAML writes an attribute of `Vegetation` whose key has another name."""


class _Bounded(Config):
    """Base of entries whose numbers have bounds."""

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth(cls, value: Any) -> Any:
        if isinstance(value, bool):  # which pydantic would take for 1 or 0
            raise ValueError(f"expected a number, got {str(value).lower()}")
        return value

    @field_validator("*")
    @classmethod
    def _possible(cls, value: Any, info: ValidationInfo) -> Any:
        bounds = VEGETATION_BOUNDS.get(str(info.field_name)) or SOIL_BOUNDS.get(str(info.field_name))
        if bounds is not None and value is not None:
            bounds.check(value)
        return value

    def changes(self) -> dict[str, Any]:
        """Return the values that are given, by attribute of the table's entry."""
        return {name: value for name in type(self).model_fields if (value := getattr(self, name)) is not None}


class OpticsEntry(Config):
    """Share of light that leaves or stems reflect and transmit."""

    reflectance: Pair | None = None
    transmittance: Pair | None = None

    @field_validator("*")
    @classmethod
    def _shares(cls, value: Pair | None) -> Pair | None:
        if value is not None:
            _SHARE.check(*value)
        return value


class CommonEntry(_Bounded):
    """What all land covers have in common in the table that comes with the package."""

    inverse_root_leaf_size: float | None = None
    quantum_efficiency: float | None = None
    heat_stress_slope: float | None = None
    water_cost_of_carbon: float | None = None
    initial_roughness_ratio: float | None = None


class CoverEntry(CommonEntry):
    """A land cover, or some of its parameters; units are in ``tables/vegetation.yaml``."""

    name: str | None = None
    treatment: Literal["soil", "urban", "wetland", "ice", "water"] | None = None
    canopy_height: float | None = None
    leaf_angle: float | None = None
    leaf: OpticsEntry | None = None
    stem: OpticsEntry | None = None
    carboxylation_capacity: float | None = None
    heat_stress_temperature: float | None = None
    leaf_area: Pair | None = None
    stem_area: float | None = None
    root_depth_50: float | None = None
    root_exponent: float | None = None
    soil_colour: int | None = None

    @field_validator("leaf_area")
    @classmethod
    def _possible_area(cls, value: Pair | None) -> Pair | None:
        if value is not None:
            _AREA.check(*value)
        return value

    def changes(self) -> dict[str, Any]:
        """Return the values that are given, by attribute of `Vegetation`."""
        given = super().changes()
        if "leaf_area" in given:
            given["leaf_area_minimum"], given["leaf_area_maximum"] = given.pop("leaf_area")
        for part in ("leaf", "stem"):
            optics = given.pop(part, None)
            for name in ("reflectance", "transmittance"):
                if optics is not None and getattr(optics, name) is not None:
                    given[f"{part}_{name}"] = getattr(optics, name)
        return given


class VegetationFile(Config):
    """A whole table of vegetation."""

    common: CommonEntry = CommonEntry()
    covers: dict[int, CoverEntry]


class VegetationOverrides(RootModel[dict[int, CoverEntry]]):
    """The ``vegetation:`` section: parameters of some classes that take the place of the table's."""

    root: dict[int, CoverEntry] = {}
    _file: Path | None = PrivateAttr(None)

    @model_validator(mode="before")
    @classmethod
    def _class_numbers(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            raise ValueError("expected class numbers with their parameters, such as {10: {canopy_height: 0.3}}")
        for key in data:
            if not isinstance(key, int) or isinstance(key, bool):
                raise ValueError(
                    f"{key!r} is no number of a land cover class; expected such as 10: {{canopy_height: 0.3}}"
                )
        return data


class ColourEntry(Config):
    """Albedo of a soil colour class."""

    saturated: Pair | None = None
    dry: Pair | None = None

    @field_validator("*")
    @classmethod
    def _shares(cls, value: Pair | None) -> Pair | None:
        if value is not None:
            _SHARE.check(*value)
        return value


class TextureEntry(_Bounded):
    """A USDA texture class."""

    number: int | None = None
    sand: float | None = None
    clay: float | None = None
    quartz: float | None = None


class DefaultsEntry(_Bounded):
    """What a texture class does not tell."""

    gravel: float | None = None
    organic_carbon: float | None = None
    bulk_density: float | None = None


class SoilOverrides(Config):
    """A table of soil, or the ``soil:`` section: values that take the place of the table's."""

    colours: dict[int, ColourEntry] = {}
    textures: dict[str, TextureEntry] = {}
    defaults: DefaultsEntry = DefaultsEntry()
    _file: Path | None = PrivateAttr(None)


def _vegetation_from_file(data: Any, info: ValidationInfo) -> Any:
    if not isinstance(data, str | Path):
        return data
    file = (info.context or {}).get("base", Path()) / data
    overrides = load_nested(file, VegetationOverrides, info)
    overrides._file = file
    return overrides


def _soil_from_file(data: Any, info: ValidationInfo) -> Any:
    if not isinstance(data, str | Path):
        return data
    file = (info.context or {}).get("base", Path()) / data
    overrides = load_nested(file, SoilOverrides, info)
    overrides._file = file
    return overrides


VegetationField = Annotated[VegetationOverrides, BeforeValidator(_vegetation_from_file)]
"""Type of the ``vegetation:`` key: the classes themselves, or the path of a YAML file that holds them."""

SoilField = Annotated[SoilOverrides, BeforeValidator(_soil_from_file)]
"""Type of the ``soil:`` key: the mapping itself, or the path of a YAML file that holds it."""
