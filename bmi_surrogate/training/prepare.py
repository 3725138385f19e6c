"""Making the training store from runs of physics.

The first record of a stretch of hours gives its first head only: outputs do not hold the state at the start of a run.
Runs of consecutive periods join where their times touch, and lose no hour there.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray
from pydantic import Field

from bmi_common import Config, ConfigError, ConfigPath, Domain, OutputPath
from bmi_common.arrays import Array
from bmi_common.folder_lock import require_at_rest
from bmi_common.netcdf_file import folder_of, record_files
from bmi_common.owned_folder import OwnedFolder, listed, taken
from bmi_common.parflow_dumps import is_parflow_run
from bmi_common.run_records import Series
from bmi_common.zarr_file import is_store
from bmi_surrogate.training.distinct import require_distinct
from bmi_surrogate.training.netcdf_run import netcdf_run
from bmi_surrogate.training.parflow_run import parflow_run
from bmi_surrogate.training.runs import Run, fingerprint
from bmi_surrogate.training.store import (
    DESCRIPTION,
    HEAD,
    SOURCE,
    STATISTICS,
    STORE,
    WETTING,
    Description,
    Segment,
    Store,
    adopt,
    mask_hash,
)

Progress = Callable[[int, int], None]
"""Is told how many of how many hours are done."""

STORM_LAYERS = 3
"""Layers from the top whose positive sources make an hour a storm."""

_RECORDS_AT_ONCE = 24


class DataConfig(Config):
    """The section `data:`.

    `runs` are folders or NetCDF files of `bmi-run`, or folders of ParFlow runs; without any the `store` is used as it
    is. `validation_hours` at the end of the data are never trained on; `hours` limits how much of the data is taken.
    """

    store: OutputPath
    runs: list[ConfigPath] = []
    validation_hours: Annotated[int, Field(ge=0)] = 720
    hours: Annotated[int, Field(ge=1)] | None = None


@dataclass(frozen=True)
class _Stretch:
    """Consecutive runs whose times touch, cut to a number of hours."""

    runs: tuple[Run, ...]
    hours: int

    @property
    def segment(self) -> Segment:
        return Segment(self.hours, self.runs[0].first)

    def pieces(self) -> Iterator[tuple[Run, int, int]]:
        """Give the runs and the records of theirs that are taken, some at a time."""
        left = self.hours + 1
        for run in self.runs:
            records = min(run.records, left)
            for begin in range(0, records, _RECORDS_AT_ONCE):
                yield run, begin, min(begin + _RECORDS_AT_ONCE, records)
            left -= records


def prepare(spec: DataConfig, domain: Domain, progress: Progress | None = None) -> Store:
    """Open the training store, and make it first where it is missing, unfinished or out of date.

    Parameters
    ----------
    spec : DataConfig
        Which runs, and where the store is.
    domain : Domain
        What the runs were made on.
    progress : callable, optional
        Is told how many of how many hours have been copied.

    Raises
    ------
    ConfigError
        For runs that cannot be read, have gaps, another grid or NaN in active cells, hold the same hours, or are too
        short.
    """
    if not spec.runs:
        store = Store.open(spec.store, spec.validation_hours)
        store.check(domain)
        return store
    runs = [_open(path, domain) for path in spec.runs]
    require_distinct(runs, domain.mask)
    stretches = _join(runs, spec.hours)
    wanted = Description(
        segments=tuple(s.segment for s in stretches),
        layer_thickness=tuple(float(v) for v in domain.dz),
        shape=(domain.nz, domain.ny, domain.nx),
        source_layers=domain.root_zone_layers,
        mask=mask_hash(domain.mask),
        limit=spec.hours,
        inputs={str(r.path.resolve()): fingerprint(r.files) for s in stretches for r in s.runs},
    )
    if wanted.hours <= spec.validation_hours:
        raise ConfigError(
            f"{', '.join(str(p) for p in spec.runs)}: {wanted.hours} h of data, of which {spec.validation_hours} h "
            "validate (`validation_hours`); none is left to train on"
        )
    if not _is_up_to_date(spec.store, wanted):
        with taken(spec.store, STORE) as owned:
            if not _is_up_to_date(spec.store, wanted):  # another process may have made it in the meantime
                _make(owned, wanted, stretches, domain, progress)
    return Store.open(spec.store, spec.validation_hours)


def _open(path: Path, domain: Domain) -> Run:
    require_at_rest(folder_of(path))
    if is_parflow_run(path):
        return parflow_run(path, domain)
    if path.is_dir() and not is_store(path) and not record_files(path):
        raise ConfigError(
            f"{path}: holds neither files of bmi-run (NetCDF or Zarr) nor *.out.press.NNNNN.pfb files of ParFlow "
            "to train on"
        )
    return netcdf_run(path, domain)


def _join(runs: Sequence[Run], limit: int | None) -> list[_Stretch]:
    groups: list[list[Run]] = []
    for run in runs:
        if groups and _touch(groups[-1][-1], run):
            groups[-1].append(run)
        else:
            groups.append([run])
    stretches: list[_Stretch] = []
    left = limit
    for group in groups:
        hours = sum(run.records for run in group) - 1
        if hours < 1:
            raise ConfigError(f"{group[0].path}: a single hour; its head is the start of nothing, give more hours")
        hours = hours if left is None else min(hours, left)
        if hours:
            stretches.append(_Stretch(tuple(group), hours))
        left = None if left is None else left - hours
    return stretches


def _touch(before: Run, after: Run) -> bool:
    if before.first is None or after.first is None:
        return False
    return before.first + timedelta(hours=before.records) == after.first


def _is_up_to_date(folder: Path, wanted: Description) -> bool:
    try:
        return Description.read(folder) == wanted and Store.open(folder).hours == wanted.hours
    except ConfigError:
        return False


def _make(
    owned: OwnedFolder, wanted: Description, stretches: Sequence[_Stretch], domain: Domain, progress: Progress | None
) -> None:
    folder = owned.path
    _claim(owned, wanted)
    head = open_memmap(folder / HEAD, "w+", np.float64, wanted.head_shape)
    source = open_memmap(folder / SOURCE, "w+", np.float32, wanted.source_shape)
    wetting = open_memmap(folder / WETTING, "w+", np.float64, (wanted.hours,))
    heads = sources = 0
    for stretch in stretches:
        is_first = True
        for run, begin, end in stretch.pieces():
            values = _active(run.head, begin, end, domain.mask)
            head[heads : heads + len(values)] = values
            heads += len(values)
            begin, is_first = begin + is_first, False
            if begin < end:
                values = _active(run.source, begin, end, domain.mask)
                source[sources : sources + len(values)] = values
                wetting[sources : sources + len(values)] = _wetting(values, domain)
                sources += len(values)
            if progress is not None:
                progress(sources, wanted.hours)
    for array in (head, source, wetting):
        array.flush()
    wanted.write(folder)


def _claim(owned: OwnedFolder, wanted: Description) -> None:
    """Remove an earlier store, and nothing else."""
    folder = owned.path
    if not adopt(owned):
        others = owned.others()
        if others:
            raise ConfigError(f"{folder}: holds other things than a training store ({listed(others)}); choose another")
    owned.require_room((HEAD, SOURCE, WETTING, DESCRIPTION, STATISTICS))
    owned.clear()
    try:
        owned.own(HEAD, SOURCE, WETTING, DESCRIPTION)
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise ConfigError(f"{folder}: cannot be written: {error}") from error
    needed = 8 * int(np.prod(wanted.head_shape, dtype=object)) + 4 * int(np.prod(wanted.source_shape, dtype=object))
    if needed > free:  # memory-mapped files on a full disk end the process without a word
        raise ConfigError(f"{folder}: the store needs {needed / 1e9:.2f} GB, the disk has {free / 1e9:.2f} GB left")


def _active(series: Series, begin: int, end: int, mask: NDArray[np.bool_]) -> Array:
    """Return records with 0 in inactive cells."""
    return np.where(mask, series.read_possible(begin, end, mask), 0.0)


def _wetting(source: Array, domain: Domain) -> Array:
    """Water that enters the uppermost layers [m h-1], mean over active cells, (hours,)."""
    top = np.maximum(source[:, -STORM_LAYERS:], 0.0) * domain.dz[-STORM_LAYERS:, np.newaxis, np.newaxis]
    wetting: Array = top.sum(axis=1)[:, domain.mask].mean(axis=1)
    return wetting
