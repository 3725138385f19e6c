"""Mean and standard deviation of the training hours, in one pass over the store."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from bmi_common import ConfigError, Domain
from bmi_common.arrays import Array
from bmi_common.config import read_yaml
from bmi_common.folder_lock import FolderIsBusyError
from bmi_common.owned_folder import draft_name, taken
from bmi_common.state_file import commit
from bmi_surrogate.predrnn.normalisation import Moments, moments_of_statics
from bmi_surrogate.training.prepare import Progress
from bmi_surrogate.training.store import DESCRIPTION, STATISTICS, STORE, Store, adopt
from bmi_surrogate.training.task import DataStatistics

log = logging.getLogger("rootzone")

_HOURS_AT_ONCE = 24
_PARTS = ("pressure", "increments", "source", "statics")


class RunningMoments:
    """Mean and n-1 standard deviation of values that come in pieces, one of each for every channel.

    Pieces are merged by Chan, Golub and LeVeque (1983, Am. Stat. 37, 242-247), which loses no digits where the mean is
    large beside the spread.
    """

    def __init__(self, channels: int) -> None:
        self.count = 0
        self._mean = np.zeros(channels)
        self._squares = np.zeros(channels)  # sum of squared distances from the mean

    def add(self, values: NDArray[np.floating[Any]]) -> None:
        """Take values (..., channel, cells)."""
        v = np.moveaxis(np.asarray(values, dtype=np.float64), -2, 0).reshape(len(self._mean), -1)
        count = v.shape[1]
        if not count:
            return
        mean = v.mean(axis=1)
        squares = ((v - mean[:, np.newaxis]) ** 2).sum(axis=1)
        total = self.count + count
        step = mean - self._mean
        self._mean += step * (count / total)
        self._squares += squares + step**2 * (self.count * count / total)
        self.count = total

    @property
    def moments(self) -> Moments:
        """Of all values so far; a single value has a standard deviation of 0."""
        return Moments.of(self._mean, np.sqrt(self._squares / max(1, self.count - 1)))


def data_statistics(store: Store, domain: Domain, statics: Array, progress: Progress | None = None) -> DataStatistics:
    """Statistics of the training hours of a store over active cells; kept in the store for the next time.

    Parameters
    ----------
    store : Store
        Hours of its validation do not count. A head that ends one training hour and starts the next counts once.
    domain : Domain
        With the active cells.
    statics : ndarray, shape (channels, ny, nx)
        Raw static channels.
    progress : callable, optional
        Is told how many of how many hours are done.

    Raises
    ------
    ConfigError
        If the store belongs to another domain or holds values that are not finite.
    """
    store.check(domain)
    key = _key(store, domain, statics)
    path = store.folder / STATISTICS
    known = _read(path, key)
    if known is None:
        try:
            known = _compute(store, domain, statics, progress)
        except ValueError:
            raise ConfigError(
                f"{store.folder}: holds values that are not finite; remove the folder to have it made again"
            ) from None
        _write(store.folder, key, known)
    return known


def _compute(store: Store, domain: Domain, statics: Array, progress: Progress | None) -> DataStatistics:
    layers, mask = store.shape[0], domain.mask
    pressure, increments, source = (RunningMoments(n) for n in (layers, layers, store.source_layers))
    hour = 0
    while hour < store.training_hours:
        begins_segment = hour == 0 or store.segment(hour) != store.segment(hour - 1)
        hours = min(_HOURS_AT_ONCE, store.training_hours - hour, store.hours_left(hour))
        head, sources = store.window(hour, hours)
        active = np.asarray(head[..., mask])
        pressure.add(active if begins_segment else active[1:])
        increments.add(np.diff(active, axis=0))
        source.add(sources[..., mask])
        hour += hours
        if progress is not None:
            progress(hour, store.training_hours)
    return DataStatistics(
        pressure.moments, increments.moments, source.moments, moments_of_statics(statics, domain.mask)
    )


def _key(store: Store, domain: Domain, statics: Array) -> str:
    digest = hashlib.sha256((store.folder / DESCRIPTION).read_bytes())
    digest.update(f"{store.training_hours} {statics.shape}".encode())
    digest.update(np.ascontiguousarray(np.where(domain.mask, statics, 0.0)).tobytes())
    return digest.hexdigest()


def _write(folder: Path, key: str, statistics: DataStatistics) -> None:
    content: dict[str, Any] = {"key": key}
    for part in _PARTS:
        moments: Moments = getattr(statistics, part)
        content[part] = {"mean": moments.mean.tolist(), "std": moments.std.tolist()}
    path = folder / STATISTICS
    partial = path.with_name(draft_name(path.name))
    try:
        with taken(folder, STORE) as owned:
            adopt(owned)
            owned.own(STATISTICS)
            partial.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
            commit(partial, path)
    except FolderIsBusyError as error:
        log.info("%s; the statistics of the store are not kept", error)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error}") from error


def _read(path: Path, key: str) -> DataStatistics | None:
    """Statistics of an earlier time, None where there are none of this key."""
    if not path.is_file():
        return None
    try:
        content = read_yaml(path).data
        if not isinstance(content, Mapping) or content.get("key") != key:
            return None
        return DataStatistics(*(Moments.of(content[part]["mean"], content[part]["std"]) for part in _PARTS))
    except (ConfigError, KeyError, TypeError, ValueError):
        return None  # damaged: computed anew
