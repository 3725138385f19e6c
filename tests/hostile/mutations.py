"""Strategies that spoil good input."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
from hypothesis import strategies as st

ODD_NUMBERS = (0, -1, 1, 2, 7, 2**31, 2**63, 10**30, 0.5, -0.0, 1e-300, 1e300, float("inf"), float("nan"), 10**400)
ODD_TEXTS = (
    "", " ", "nan", "1e999", "0", "-", ".", "..", "../../../../etc/passwd", "/", "/dev/zero", "/dev/null", "~", "~nobody-",
    "${data}", "${", "a\x00b", "\ud7ff\ufffe", "{}", "[1]", "*", "a" * 5000, "x" * 300 + ".nc", "os:system", "sys:exit",
    "subprocess:run", "2020-02-30", "9999-12-31T23:59", "0001-01-01", "m", "1/0", "s^-999999999999", "lg(re 1 mm)", "@", "%",
)  # fmt: skip
odd_scalars = st.one_of(
    st.none(), st.booleans(), st.sampled_from(ODD_NUMBERS), st.sampled_from(ODD_TEXTS), st.text(max_size=8)
)
odd_values = st.one_of(
    odd_scalars,
    st.lists(odd_scalars, max_size=3),
    st.dictionaries(st.sampled_from(["file", "value", "variable", "units", "x", "y", "0"]), odd_scalars, max_size=2),
)


def _places(tree: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield at
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from _places(value, (*at, key))
    elif isinstance(tree, list):
        for i, value in enumerate(tree):
            yield from _places(value, (*at, i))


def _get(tree: Any, at: tuple[Any, ...]) -> Any:
    for key in at:
        tree = tree[key]
    return tree


@st.composite
def spoiled_trees(draw: st.DrawFn, tree: Any, most: int = 2) -> Any:
    """Mappings, lists and scalars with one or two entries replaced, removed, renamed, repeated or exchanged."""
    tree = copy.deepcopy(tree)
    for _ in range(draw(st.integers(1, most))):
        places = [p for p in _places(tree) if p]
        if not places:
            break
        at = draw(st.sampled_from(places))
        parent, key = _get(tree, at[:-1]), at[-1]
        how = draw(st.sampled_from(("replace", "replace", "replace", "remove", "rename", "wrap", "exchange")))
        if how == "replace":
            parent[key] = draw(odd_values)
        elif how == "remove":
            del parent[key]
        elif how == "rename" and isinstance(parent, dict):
            parent[draw(odd_scalars)] = parent.pop(key)
        elif how == "wrap":
            parent[key] = [parent[key], parent[key]]
        else:
            parent[key] = copy.deepcopy(_get(tree, draw(st.sampled_from(places))))
    return tree


@st.composite
def damaged_bytes(draw: st.DrawFn, content: bytes, head: int | None = None) -> bytes:
    """Bytes with a few of the first `head` ones changed, cut out, repeated or inserted, or the end cut off."""
    data = bytearray(content)
    for _ in range(draw(st.integers(1, 3))):
        end = min(len(data), head or len(data))
        at = draw(st.integers(0, max(end - 1, 0)))
        how = draw(st.sampled_from(("change", "change", "insert", "cut", "truncate", "repeat", "zero")))
        if how == "change" and data:
            data[at] = draw(st.integers(0, 255))
        elif how == "insert":
            data[at:at] = draw(st.binary(max_size=8))
        elif how == "cut":
            del data[at : at + draw(st.integers(1, 16))]
        elif how == "truncate":
            del data[at:]
        elif how == "repeat":
            data[at:at] = data[at : at + 16]
        else:
            data[at : at + 4] = draw(st.sampled_from((bytes(4), b"\xff" * 4, b"\x7f\xff\xff\xff", b"\x80\0\0\0")))
    return bytes(data)


ATTRIBUTES = (
    "units", "standard_name", "csdms_name", "calendar", "bounds", "scale_factor", "add_offset", "missing_value", "_Unsigned",
    "valid_min", "valid_max", "valid_range", "axis", "coordinates",
)  # fmt: skip
CALENDARS = ("360_day", "noleap", "julian", "all_leap", "none", "", "gregorian")
UNITS = (
    "",
    "1",
    "K",
    "m",
    "cm",
    "degC",
    "J m**-2",
    "W m-2",
    "kg m-2 s-1",
    "furlong",
    "m s**-1",
    "mm s-1",
    "m/0",
    "h-1",
)
SINCE = (
    "hours since 2020-06-01", "days since 1900-01-01", "months since 2020-01-01", "hours since", "since", "hours",
    "seconds since 2020-13-45", "hours since 0000-00-00", "years since -4713-01-01", "hours since 2020-06-01 00:30:00",
    "fortnights since 2020-06-01", "hours since 2020-06-01 00:00 +99:99", "microseconds since 1970-01-01",
)  # fmt: skip
numbers = st.one_of(
    st.sampled_from([n for n in ODD_NUMBERS if isinstance(n, float) or abs(n) < 2**63]),
    st.integers(-(2**31), 2**31 - 1),
    st.floats(),
)
attributes = st.one_of(
    numbers,
    st.sampled_from([t for t in ODD_TEXTS if t and "\x00" not in t and "\ud7ff" not in t]),
    st.sampled_from((*CALENDARS, *UNITS, *SINCE)),
    st.lists(numbers.map(float), min_size=1, max_size=3),
)


def spoiled_netcdf(draw: Callable[[Any], Any], file: Path) -> None:
    """Write a NetCDF file anew with one to three changes.

    Variables are lost, have another name, kind or order of dimensions, or odd values; attributes are set or lost;
    dimensions are longer or shorter.
    """
    old = file.with_suffix(".old")
    file.rename(old)
    with netCDF4.Dataset(old) as source, netCDF4.Dataset(file, "w") as target:
        source.set_auto_maskandscale(False)
        changes = [_change(draw, source) for _ in range(draw(st.integers(1, 3)))]
        sizes = {name: len(d) for name, d in source.dimensions.items()}
        sizes |= {at: value for what, at, value in changes if what == "size"}
        for name, size in sizes.items():
            target.createDimension(name, size)
        target.setncatts({name: source.getncattr(name) for name in source.ncattrs()})
        for name, variable in source.variables.items():
            _copy(variable, [(what, value) for what, at, value in changes if at == name], target)
    old.unlink()


def _change(draw: Callable[[Any], Any], source: Any) -> tuple[str, str, Any]:
    what = draw(st.sampled_from(("attribute", "attribute", "value", "value", "lose", "name", "kind", "axes", "size")))
    if what == "size":
        return what, draw(st.sampled_from(list(source.dimensions))), draw(st.integers(0, 6))
    at = draw(st.sampled_from(list(source.variables)))
    if what == "attribute":
        known = [*source[at].ncattrs(), *ATTRIBUTES]
        return what, at, (draw(st.sampled_from(known)), draw(st.one_of(st.none(), attributes)))
    values = {
        "value": st.tuples(st.one_of(numbers, st.just("all"), st.just("reverse")), st.integers(0, 99)),
        "lose": st.none(),
        "name": st.sampled_from(["x", "time", "valid_time", "latitude", "tp", "t2m"]),
        "kind": st.sampled_from(["i2", "u1", "f4", "S1", str, "i8"]),
        "axes": st.permutations(list(source.dimensions)).flatmap(lambda d: st.integers(0, 4).map(lambda n: d[:n])),
    }
    return what, at, draw(values[what])


def _copy(variable: Any, changes: list[tuple[str, Any]], target: Any) -> None:
    how = dict(changes)
    if "lose" in how:
        return
    name, kind = how.get("name", variable.name), how.get("kind", variable.dtype)
    axes = how.get("axes", variable.dimensions)
    if name in target.variables:
        return
    attributes = {a: variable.getncattr(a) for a in variable.ncattrs()}
    fill = attributes.pop("_FillValue", None)
    made = target.createVariable(name, kind, axes, fill_value=fill if kind == variable.dtype else None)
    for what, value in changes:
        if what == "attribute":
            attributes[value[0]] = value[1]
    for attribute, value in attributes.items():
        if value is not None and attribute != "_FillValue":
            try:
                made.setncattr(attribute, value)
            except (TypeError, ValueError, OverflowError, AttributeError, RuntimeError):  # the library cannot write it
                continue
    made.set_auto_maskandscale(False)
    shape = made.shape
    if kind in (str, "S1") or variable.dtype == str or not made.size:
        return
    values = np.resize(np.asarray(variable[...]), shape) if variable.size else np.zeros(shape)
    for what, value in changes:
        if what == "value":
            values = _odd(values, *value)
    with np.errstate(invalid="ignore", over="ignore"):
        made[...] = values.astype(made.dtype)


def _odd(values: Any, value: Any, at: int) -> Any:
    values = np.array(values, dtype=np.float64)
    if value == "all":
        values[...] = np.nan
    elif value == "reverse":
        values = np.flip(values)
    elif values.size:
        values.flat[at % values.size] = value
    return values
