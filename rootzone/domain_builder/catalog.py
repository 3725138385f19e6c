"""Rasters named by their source in a data catalogue of HydroMT."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from bmi_common.config import Document, folders
from bmi_common.errors import ConfigError, Mistakes
from bmi_common.suggest import did_you_mean
from rootzone.domain_builder.libraries import library

Position = tuple[str | int, ...]

_ELSEWHERE: Final = ("forcing", "land", "period", "catalog")
"""Sections that hold no raster."""


def name_files(document: Document) -> None:
    """Replace each ``source: NAME`` of a ``basin.yaml`` by file, CRS, missing value and scale of the catalogue.

    What stands beside `source` goes before the catalogue. `document` is changed in place.

    Raises
    ------
    ConfigError
        There is no catalogue, HydroMT is not installed, or a source is unknown or is not one file; all of them.
    """
    if not isinstance(document.data, dict):
        return
    named = [
        place for key, value in document.data.items() if key not in _ELSEWHERE for place in _sources(value, (key,))
    ]
    if not named:
        if "catalog" in document.data:
            raise document.error(("catalog",), "without effect, because no raster names a source")
        return
    if "catalog" not in document.data:
        raise document.error((*named[0], "source"), "a source needs the catalogue that has it: `catalog: FILE`")
    catalogue = _opened(document)
    mistakes = Mistakes()
    for place in named:
        with mistakes.noted():
            raster: Any = document.data
            for key in place:
                raster = raster[key]
            name = raster.pop("source")
            try:
                found = _described(catalogue, name, raster.get("variable"))
            except ConfigError as error:
                raise document.error((*place, "source"), error.message) from None
            if found.pop("one_variable"):
                raster.pop("variable", None)
            raster |= {key: value for key, value in found.items() if key not in raster}
    mistakes.require_none()


def _sources(value: Any, at: Position) -> Iterator[Position]:
    """Give the places of mappings with a key `source`."""
    if isinstance(value, Mapping):
        if "source" in value:
            yield at
            return
        for key, part in value.items():
            yield from _sources(part, (*at, key))
    elif isinstance(value, list):
        for n, part in enumerate(value):
            yield from _sources(part, (*at, n))


def _opened(document: Document) -> Any:
    given = document.data["catalog"]
    names = given if isinstance(given, list) else [given]
    base = folders(document, {})[0]
    try:
        hydromt = library("hydromt")
    except ConfigError:
        message = "needs HydroMT, which is not installed: pip install hydromt"
        raise document.error(("catalog",), message) from None
    # a name without a file is one of HydroMT's own catalogues
    libraries = [str(base / name) if (base / str(name)).is_file() else str(name) for name in names]
    try:
        return hydromt.DataCatalog(data_libs=libraries)
    except Exception as error:  # of files, of YAML, of its model
        told = str(error).strip().splitlines()
        raise document.error(("catalog",), f"HydroMT cannot read it: {told[0] if told else error!r}") from None


def _described(catalogue: Any, name: Any, variable: str | None) -> dict[str, Any]:
    """Return the keys of a raster for a source, and whether its file holds one variable only."""
    known = [str(source) for source in catalogue.get_source_names()]
    if name not in known:
        raise ConfigError(f"the catalogue has no source {name!r}{did_you_mean(str(name), known)}")
    source = catalogue.get_source(name)
    adapter, metadata = source.data_adapter, source.metadata
    # HydroMT's name of a variable, and the file's
    original = {new: old for old, new in (adapter.rename or {}).items()}
    uri = str(source.full_uri)
    single = "{variable}" in uri or source.driver.name == "rasterio"
    if variable is not None:
        uri = uri.replace("{variable}", original.get(variable, variable))
    if any(mark in uri for mark in "{*?"):
        hint = "; say which with `variable:`" if "{variable}" in uri else ""
        raise ConfigError(f"{name} is not one file but {uri}{hint}")
    if "://" in uri:
        raise ConfigError(f"{name} lies at {uri}; needed is a file of this machine: export it with HydroMT first")
    result: dict[str, Any] = {"file": uri, "one_variable": single}
    if variable is not None and not single:
        result["variable"] = original.get(variable, variable)
    if metadata.crs is not None:
        result["crs"] = metadata.crs.to_string()
    for key, per_variable in (("nodata", metadata.nodata), ("scale", adapter.unit_mult)):
        value = _of(per_variable, variable)
        if value is not None:
            result[key] = value
    if _of(adapter.unit_add, variable):
        raise ConfigError(f"{name} has unit_add in the catalogue, which is not taken; name the file, with `units:`")
    return result


def _of(values: Any, variable: str | None) -> Any:
    """Return what holds for a variable, or for the only one."""
    if not isinstance(values, Mapping):
        return values
    if variable in values:
        return values[variable]
    return next(iter(values.values())) if len(values) == 1 else None
