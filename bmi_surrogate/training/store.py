"""The training data on disk: heads and sources of every hour as memory-mapped arrays, with a description beside them.

A store is a folder with ``head.npy``, ``source.npy``, ``wetting.npy`` and ``store.yaml``. The description is written
last, so that a folder without one is a store that was never finished.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from bmi_common import ConfigError, Domain
from bmi_common.config import read_yaml
from bmi_common.owned_folder import OwnedFolder, draft_name, read_record
from bmi_common.run_records import thickness_mismatch
from bmi_common.state_file import commit

FORMAT = "rootzone training store"
VERSION = 1

DESCRIPTION = "store.yaml"
HEAD, SOURCE, WETTING = "head.npy", "source.npy", "wetting.npy"
STATISTICS = "statistics.yaml"

STORE = "training store"
"""What the record of its folder says that it holds."""


@dataclass(frozen=True)
class Segment:
    """Hours without a gap: `hours` sources between `hours` + 1 heads.

    Attributes
    ----------
    hours : int
        Number of hours.
    start : datetime or None
        Calendar time (UTC) of the first head; None where the data do not say.
    """

    hours: int
    start: datetime | None = None


@dataclass(frozen=True)
class Description:
    """What ``store.yaml`` says.

    Attributes
    ----------
    segments : tuple of Segment
        In the order of the arrays.
    layer_thickness : tuple of float
        Of all layers, bottom first [m].
    shape : tuple of int
        (nz, ny, nx) of the heads.
    source_layers : int
        Layers of the sources, the uppermost ones.
    mask : str
        `mask_hash` of the active cells.
    limit : int or None
        Most hours that were asked for.
    inputs : mapping of str to str
        Fingerprint of each run that the store was made from, by its path.
    """

    segments: tuple[Segment, ...]
    layer_thickness: tuple[float, ...]
    shape: tuple[int, int, int]
    source_layers: int
    mask: str
    limit: int | None
    inputs: Mapping[str, str]

    @property
    def hours(self) -> int:
        """Hours of all segments."""
        return sum(s.hours for s in self.segments)

    @property
    def head_shape(self) -> tuple[int, int, int, int]:
        """Shape of ``head.npy``: every segment has one head more than hours."""
        return (self.hours + len(self.segments), *self.shape)

    @property
    def source_shape(self) -> tuple[int, int, int, int]:
        """Shape of ``source.npy``."""
        return (self.hours, self.source_layers, *self.shape[1:])

    def write(self, folder: Path) -> None:
        """Write ``store.yaml``, in one piece or not at all."""
        content: dict[str, Any] = {
            "format": FORMAT,
            "version": VERSION,
            "hours": self.hours,
            "segments": [{"hours": s.hours, "start": s.start} for s in self.segments],
            "layers": self.shape[0],
            "ny": self.shape[1],
            "nx": self.shape[2],
            "source_layers": self.source_layers,
            "layer_thickness": list(self.layer_thickness),
            "mask": self.mask,
            "limit": self.limit,
            "inputs": dict(self.inputs),
        }
        partial = folder / draft_name(DESCRIPTION)
        partial.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8")
        commit(partial, folder / DESCRIPTION)

    @classmethod
    def read(cls, folder: Path) -> Description:
        """Read ``store.yaml``.

        Raises
        ------
        ConfigError
            If there is none, or it describes no store of this version.
        """
        path = folder / DESCRIPTION
        if not path.is_file():
            raise ConfigError(f"{folder}: is no finished training store (it has no {DESCRIPTION})")
        data = read_yaml(path).data
        if not isinstance(data, dict) or data.get("format") != FORMAT:
            raise ConfigError(f"{path}: does not describe a training store")
        if data.get("version") != VERSION:
            raise ConfigError(
                f"{path}: is a training store of version {data.get('version')}, this program reads version {VERSION}; "
                "remove the folder to have it made anew"
            )
        try:
            found = cls(
                segments=tuple(Segment(int(s["hours"]), s["start"]) for s in data["segments"]),
                layer_thickness=tuple(float(v) for v in data["layer_thickness"]),
                shape=(int(data["layers"]), int(data["ny"]), int(data["nx"])),
                source_layers=int(data["source_layers"]),
                mask=str(data["mask"]),
                limit=data["limit"],
                inputs=dict(data["inputs"]),
            )
            if len(found.layer_thickness) != found.shape[0]:
                raise ValueError(f"{found.shape[0]} layers with {len(found.layer_thickness)} thicknesses")
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise ConfigError(f"{path}: is damaged ({error!r}); remove the folder to have it made anew") from error
        return found


def mask_hash(mask: NDArray[np.bool_]) -> str:
    """SHA-256 of shape and active cells."""
    digest = hashlib.sha256(repr(mask.shape).encode())
    digest.update(np.packbits(mask).tobytes())
    return digest.hexdigest()


class Store:
    """Heads and sources of training data, read from disk as they are asked for.

    Hours are counted over all segments; windows lie within one. The last `validation_hours` hours are kept from
    training.

    Parameters
    ----------
    folder : Path
        The store.
    description : Description
        What ``store.yaml`` says.
    head, source, wetting : ndarray
        The arrays, memory-mapped.
    validation_hours : int
        Hours at the end of the data that are not trained on.
    """

    def __init__(
        self,
        folder: Path,
        description: Description,
        head: NDArray[np.float64],
        source: NDArray[np.float32],
        wetting: NDArray[np.float64],
        validation_hours: int = 0,
    ) -> None:
        self.folder = folder
        self.description = description
        self.head, self.source, self.wetting = head, source, wetting
        self.validation_hours = validation_hours
        hours = np.array([s.hours for s in description.segments])
        self._ends = np.cumsum(hours)
        self._begins = self._ends - hours

    @classmethod
    def open(cls, folder: Path, validation_hours: int = 0) -> Store:
        """Open a store.

        Raises
        ------
        ConfigError
            If it is unfinished or damaged, or too short for the validation.
        """
        description = Description.read(folder)
        shapes = {
            HEAD: (description.head_shape, np.float64),
            SOURCE: (description.source_shape, np.float32),
            WETTING: ((description.hours,), np.float64),
        }
        arrays = []
        for name, (shape, dtype) in shapes.items():
            try:
                array = np.load(folder / name, mmap_mode="r", allow_pickle=False)
            except Exception as error:  # damaged headers are parsed as Python: TokenError, SyntaxError, EOFError, …
                raise ConfigError(
                    f"{folder / name}: cannot be read; remove the folder to have it made anew: {error}"
                ) from error
            if array.shape != shape or array.dtype != dtype:
                raise ConfigError(
                    f"{folder / name}: holds {array.dtype} {array.shape}, {DESCRIPTION} announces "
                    f"{np.dtype(dtype)} {shape}; remove the folder to have it made anew"
                )
            arrays.append(array)
        if description.hours <= validation_hours:
            raise ConfigError(
                f"{folder}: has {description.hours} h of data; {validation_hours} h of them validate "
                "(`validation_hours`), which leaves none to train on"
            )
        return cls(folder, description, arrays[0], arrays[1], arrays[2], validation_hours)

    @property
    def segments(self) -> tuple[Segment, ...]:
        """Stretches without a gap."""
        return self.description.segments

    @property
    def hours(self) -> int:
        """Hours of all segments, validation included."""
        return self.description.hours

    @property
    def training_hours(self) -> int:
        """Hours before the validation; all hours below this number may be trained on."""
        return self.hours - self.validation_hours

    @property
    def shape(self) -> tuple[int, int, int]:
        """(nz, ny, nx) of the heads."""
        return self.description.shape

    @property
    def source_layers(self) -> int:
        """Layers of the sources, the uppermost ones."""
        return self.description.source_layers

    def check(self, domain: Domain) -> None:
        """Refuse a domain that the store was not made for.

        Raises
        ------
        ConfigError
            If grid, layers or active cells differ.
        """
        problem = self.description_problem(self.description, domain)
        if problem:
            raise ConfigError(f"{self.folder / DESCRIPTION}: was made for another domain: {problem}")

    @staticmethod
    def description_problem(description: Description, domain: Domain) -> str | None:
        """Say how a store's domain differs from another, None where it does not."""
        if description.shape != domain.subsurface.shape:
            return f"it has (nz, ny, nx) = {description.shape}, the domain {domain.subsurface.shape}"
        k = thickness_mismatch(description.layer_thickness, domain)
        if k is not None:
            return f"layer {k} is {description.layer_thickness[k]:g} m thick there, {domain.dz[k]:g} m in the domain"
        if description.source_layers != domain.root_zone_layers:
            return (
                f"it has sources in the upper {description.source_layers} layers, the domain's root zone has "
                f"{domain.root_zone_layers}"
            )
        if description.mask != mask_hash(domain.mask):
            return "other cells are active"
        return None

    def segment(self, hour: int) -> int:
        """Return the number of the segment that an hour belongs to."""
        if not 0 <= hour < self.hours:
            raise ValueError(f"hour {hour} is outside the store's {self.hours} hours")
        return int(np.searchsorted(self._ends, hour, side="right"))

    def hours_left(self, hour: int) -> int:
        """Hours from this one to the end of its segment, itself included."""
        return int(self._ends[self.segment(hour)]) - hour

    def time(self, hour: int) -> datetime | None:
        """Calendar time (UTC) at which an hour begins, where the data say."""
        number = self.segment(hour)
        start = self.segments[number].start
        return None if start is None else start + timedelta(hours=hour - int(self._begins[number]))

    def window(
        self, hour: int, hours: int, rows: slice = slice(None), columns: slice = slice(None)
    ) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        """Heads and sources of a window, as read-only views of the files.

        Parameters
        ----------
        hour : int
            First hour.
        hours : int
            Length, at least 1.
        rows, columns : slice
            Part of the domain.

        Returns
        -------
        head : ndarray, shape (hours + 1, nz, y, x)
            Pressure head [m]; 0 in inactive cells.
        source : ndarray, shape (hours, source layers, y, x)
            Net source [h-1] of every hour; 0 in inactive cells.

        Raises
        ------
        ValueError
            If the window leaves the store or its segment.
        """
        number = self.segment(hour)
        if hours < 1 or hour + hours > self._ends[number]:
            raise ValueError(
                f"a window of {hours} h from hour {hour} leaves its segment, hours {self._begins[number]} to "
                f"{self._ends[number] - 1}"
            )
        first = hour + number  # each segment before has a head more than hours
        return (
            self.head[first : first + hours + 1, :, rows, columns],
            self.source[hour : hour + hours, :, rows, columns],
        )

    def starts(self, hours: int, every: int = 1, validation: bool = False) -> NDArray[np.intp]:
        """Return the first hours of all windows that lie in one segment and in the training or the validation hours.

        Parameters
        ----------
        hours : int
            Length of the windows.
        every : int
            Distance of the windows, counted from the start of each segment or of the validation.
        validation : bool
            Windows of the validation instead of the training hours.

        Raises
        ------
        ConfigError
            If there is none.
        """
        low, high = (self.training_hours, self.hours) if validation else (0, self.training_hours)
        bounds = [(max(int(b), low), min(int(e), high)) for b, e in zip(self._begins, self._ends, strict=True)]
        stretches = [np.arange(b, e - hours + 1, every) for b, e in bounds if e - b >= hours]
        if not stretches:
            kind = "validation" if validation else "training"
            raise ConfigError(f"{self.folder}: no stretch of the {kind} hours without a gap is {hours} h long")
        return np.concatenate(stretches).astype(np.intp)


def adopt(folder: OwnedFolder) -> bool:
    """Enter the files of a store of an earlier version, which kept no record, by its description.

    Returns
    -------
    bool
        Whether the folder has a record, now or before.
    """
    if read_record(folder.path) is not None:
        return True
    try:
        data = read_yaml(folder.path / DESCRIPTION).data
    except ConfigError:
        return False
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        return False
    folder.adopt((HEAD, SOURCE, WETTING, DESCRIPTION, STATISTICS))
    return True
