"""Files of a run that is made from something else: YAML as written by hand, and NetCDF on the grid of a domain."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import netCDF4
import yaml

from bmi_common.arrays import Array


def write_yaml(path: Path, comment: str, content: Mapping[str, Any]) -> None:
    """Write a YAML file under a line of comment."""
    text = yaml.safe_dump(_plain(content), sort_keys=False, default_flow_style=None, width=120, allow_unicode=True)
    path.write_text(f"# {comment}\n{text}", encoding="utf-8")


def _plain(value: Any) -> Any:
    """Spell times as they are written by hand, tuples as lists."""
    match value:
        case datetime():
            return value.isoformat(timespec="auto" if value.second or value.microsecond else "minutes")
        case Mapping():
            return {key: _plain(v) for key, v in value.items()}
        case list() | tuple():
            return [_plain(v) for v in value]
        case _:
            return value


@contextmanager
def gridded_netcdf(path: Path, layers: int | None, northing: Array, easting: Array) -> Iterator[netCDF4.Dataset]:
    """Begin a CF file with dimensions z, y and x; `northing` and `easting` [m] are those of rows and columns.

    Without `layers` it has no z.
    """
    with netCDF4.Dataset(path, "w") as dataset:
        dataset.Conventions = "CF-1.8"
        for name, count in zip("zyx", (layers, len(northing), len(easting)), strict=True):
            if count is not None:
                dataset.createDimension(name, count)
        for name, values in (("y", northing), ("x", easting)):
            axis = dataset.createVariable(name, "f8", (name,))
            axis.units, axis.axis = "m", name.upper()
            axis.standard_name = f"projection_{name}_coordinate"
            axis[:] = values
        yield dataset


def time_axis(dataset: netCDF4.Dataset, start: datetime) -> netCDF4.Variable[Any]:
    """Give a file an unlimited dimension of hours since `start` (UTC)."""
    dataset.createDimension("time", None)
    time = dataset.createVariable("time", "f8", ("time",))
    time.units = f"hours since {start:%Y-%m-%d %H:%M:%S}"
    time.standard_name, time.calendar = "time", "standard"
    return time


def coupled(
    *,
    title: str,
    folder: str | None = None,
    time: Mapping[str, Any],
    components: Mapping[str, Mapping[str, Any]],
    exchanges: Sequence[tuple[str, str]],
    output: Sequence[Mapping[str, Any]],
    **sections: Any,
) -> dict[str, Any]:
    """Put together a ``coupled.yaml`` whose components step in the order given."""
    return {
        "title": title,
        **({} if folder is None else {"folder": folder}),
        "time": dict(time),
        "components": {name: dict(spec) for name, spec in components.items()},
        "order": list(components),
        "exchanges": [{"from": source, "to": target} for source, target in exchanges],
        "output": [dict(file) for file in output],
        **sections,
        "figures": True,
    }
