"""Layers of a NetCDF variable, and which way they run: by the coordinate of height or depth."""

from __future__ import annotations

import warnings
from typing import Final, Literal

import numpy as np

from bmi_common.errors import ConfigError, InputNotice
from bmi_common.netcdf_file import Array, NetcdfFile, NetcdfVariable, base_name
from bmi_common.netcdf_time import is_time
from bmi_common.units import conversion

_FROM_THE_TOP: Final = ("levsoi", "nlevsoi", "levgrnd", "nlevgrnd", "soil_layers_stag")
"""Dimensions of soil in files of CESM and WRF, which count from the surface and need not say so."""
_NAMES: Final = (
    *("z", "depth", "lev", "level", "levels", "layer", "layers", "soil_layer", "soil_layers", "bottom_top"),
    *_FROM_THE_TOP,
)
_DOWN, _UP = ("depth",), ("height", "altitude", "elevation")
_ROUNDING: Final = 1e-3  # of a layer


def vertical(file: NetcdfFile, name: str, horizontal: tuple[str | None, ...]) -> str | None:
    """Return the dimension of a variable that counts layers, by its coordinate, its own name or units of length."""
    free = [d for d in file[name].dimensions if d not in horizontal and not file.along(d, is_time)]
    told = [d for d in free if file.along(d, _is_vertical)] or [d for d in free if base_name(d) in _NAMES]
    # rows and columns that nothing names are the last dimensions
    before = free[: len(free) - horizontal.count(None)]
    return next(iter(told or [d for d in before if file.along(d, _is_length)]), None)


def bottom_first(file: NetcdfFile, dimension: str) -> bool | None:
    """Tell whether layers run from the bottom up; None where nothing tells.

    Raises
    ------
    ConfigError
        A coordinate runs to and fro, contradicts itself or another one, or is a length that may be height or depth.
    """
    if file.size(dimension) == 1:
        return None
    coordinates = file.along(dimension, lambda v: _is_vertical(v) or _is_length(v))
    told = {v.name: (way == "up") is _rises(file, v) for v in coordinates if (way := _way(file, v)) is not None}
    if len(set(told.values())) > 1:
        raise ConfigError(
            f"{file.path}: the coordinates of {dimension!r} contradict each other about which layer is the lowest: "
            f"{', '.join(told)}"
        )
    if told:
        return next(iter(told.values()))
    unclear = next((v for v in coordinates if _is_length(v)), None)
    if unclear is not None and not (unclear.label == "z" and _rises(file, unclear)):
        raise ConfigError(
            f"{file.path}: {unclear.name!r} [{unclear.text('units')}] of the layers does not tell whether it is height "
            "or depth; needed is its attribute positive, up or down (`ncatted -a positive,"
            f"{unclear.name},c,c,down {file.path.name}`)"
        )
    return False if base_name(dimension) in _FROM_THE_TOP else None


def check_depths(file: NetcdfFile, dimension: str, thickness: Array, where: str) -> None:
    """Compare the depths of a file's layers with those of the layers that they are taken for.

    Parameters
    ----------
    file, dimension
        Layers of the file.
    thickness : ndarray, shape (layers,)
        Of these layers [m], bottom first, the last at the surface.
    where
        Begins the message.

    Warns
    -----
    InputNotice
        A layer of the file has its depth outside that layer.
    """
    for v in file.along(dimension, _is_vertical):
        if _way(file, v) != "down":
            continue
        try:
            change = conversion(v.text("units"), "m")
        except ConfigError:
            continue
        depths = np.sort(file.values(v.name) * change.factor)[::-1]  # deepest first
        bottoms = np.cumsum(thickness[::-1])[::-1]
        slack = _ROUNDING * thickness
        outside = (depths > bottoms + slack) | (depths < bottoms - thickness - slack)
        if outside.any():
            k = int(np.argmax(outside))
            warnings.warn(
                f"{where}: layer {k} (from the bottom) is at {depths[k]:g} m depth in the file, and is taken for the "
                f"layer from {bottoms[k] - thickness[k]:g} to {bottoms[k]:g} m",
                InputNotice,
                stacklevel=2,
            )
        return


def _is_vertical(variable: NetcdfVariable) -> bool:
    return (
        variable.text("axis").upper() == "Z"
        or "positive" in variable.attributes
        or variable.label in _NAMES
        or any(word in text for word in (*_DOWN, *_UP) for text in _texts(variable))
    )


def _is_length(variable: NetcdfVariable) -> bool:
    try:
        conversion(variable.text("units") or "1", "m")
    except ConfigError:
        return False
    return True


def _texts(variable: NetcdfVariable) -> tuple[str, str, str]:
    return variable.text("standard_name").lower(), variable.label, variable.text("long_name").lower()


def _way(file: NetcdfFile, variable: NetcdfVariable) -> Literal["up", "down"] | None:
    """Return which way a coordinate grows, by its attributes, its name, or because it is negative below ground."""
    values = file.values(variable.name)
    negative = bool(values.size) and bool(np.all(values <= 0.0)) and bool(np.any(values < 0.0))
    where = f"{file.path}: {variable.name!r}"
    positive = variable.text("positive").lower()
    if positive not in ("", "up", "down"):
        raise ConfigError(f"{where}: positive is {positive!r}, and must be up or down")
    if positive == "down" and negative:
        raise ConfigError(f"{where}: depths are positive downwards, but all negative; which layer is the lowest?")
    if positive:
        return "up" if positive == "up" else "down"
    word = next((word for text in _texts(variable) for word in (*_DOWN, *_UP) if word in text), None)
    if negative and (word or variable.label == "z"):
        return "up"
    if variable.label in _FROM_THE_TOP:
        return "down"
    return None if word is None else "down" if word in _DOWN else "up"


def _rises(file: NetcdfFile, variable: NetcdfVariable) -> bool:
    steps = np.diff(file.values(variable.name))
    if np.all(steps > 0.0):
        return True
    if np.all(steps < 0.0):
        return False
    raise ConfigError(f"{file.path}: {variable.name!r} neither rises nor falls from layer to layer")
