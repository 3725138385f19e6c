"""Zarr stores (format 3) that grow record by record, each chunk of which one process writes.

A variable in time has one chunk a record and tile of the map. Chunks of `RECORDS` records lie in one file, a shard: a
record is appended to it, and then the shard's index, at its head, names the place. The record counts when the
descriptions of the arrays say so, last of all that of the store, which repeats those of its arrays: who reads it finds
all variables equally long. So a run that is killed at any moment leaves a store that can be read.

Source of the format: https://zarr-specs.readthedocs.io/en/latest/v3/core/ and …/v3/codecs/sharding-indexed/.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from itertools import product
from pathlib import Path
from typing import Any, Final

import netCDF4
import numpy as np
from numpy.typing import NDArray

from bmi_common.owned_folder import draft_name, remove_chunks
from bmi_common.zarr_file import FILL, METADATA, encoded_fill, zarr_library
from coupler.compression import rounding

Array = NDArray[Any]

RECORDS: Final = 240
"""In a shard. Its index, of 16 bytes each, must fit into a page, 4096, which a killed process writes or not."""
_NO_CHUNK: Final = np.uint64(2**64 - 1)
_TIME: Final = "time"
_DIGITS: Final = "_QuantizeGranularBitRoundNumberOfSignificantDigits"
"""Attribute in which the NetCDF library notes how numbers have been rounded."""


class ZarrOutput:
    """A store that is written, with the calls of `netCDF4.Dataset` that an output file needs.

    Parameters
    ----------
    path : Path
        Folder of the store. One that has no description is begun.
    announce : callable
        Told the name of each array before that is made.

    Attributes
    ----------
    dimensions : dict
        Length of each, 0 of time.
    variables : dict
        By name.
    """

    def __init__(self, path: Path, announce: Callable[[str], None] = lambda name: None) -> None:
        self._path, self._announce = path, announce
        self._group = None
        self.dimensions: dict[str, _Dimension] = {}
        self.variables: dict[str, ZarrOutputVariable] = {}
        self._attributes: dict[str, Any] = {}
        self._others: dict[str, Any] = {}  # what others have put there, as they describe it
        if not (path / METADATA).exists():
            self._group = zarr_library().create_group(str(path), zarr_format=3)
            return
        described = json.loads((path / METADATA).read_text(encoding="utf-8"))
        self._attributes = described.get("attributes", {})
        listed = described.get("consolidated_metadata", {}).get("metadata", {})
        self._others = {name: of for name, of in listed.items() if of.get("node_type") != "array" or "/" in name}
        for name, array in _arrays(path, listed):
            variable = _as_written(path / name, array)
            if variable is None:
                self._others[name] = array
                continue
            self.variables[name] = variable
            for dimension, size in zip(variable.dimensions, variable.shape, strict=True):
                self.dimensions[dimension] = _Dimension(0 if dimension == _TIME else size)

    def __getitem__(self, name: str) -> ZarrOutputVariable:
        return self.variables[name]

    def createDimension(self, name: str, size: int | None) -> None:  # noqa: N802  # as netCDF4 has it
        """Make a dimension; that of no size is time."""
        self.dimensions[name] = _Dimension(size or 0)

    def createVariable(  # noqa: N802
        self,
        name: str,
        kind: str,
        dimensions: Sequence[str] = (),
        *,
        compression: str | None = None,
        significant_digits: int | None = None,
        chunksizes: Sequence[int] | None = None,
        fill_value: float | None = None,
        zlib: bool = False,
        **_: Any,
    ) -> ZarrOutputVariable:
        """Make a variable; see `netCDF4.Dataset.createVariable`.

        Of a variable in time with other dimensions beside it, `chunksizes` are those of a record; as of a map, the last
        two are the tile.
        """
        codecs = import_module("zarr.codecs")
        compression = "zlib" if zlib else compression
        shape = tuple(len(self.dimensions[d]) for d in dimensions)
        chunks = tuple(chunksizes) if chunksizes else shape
        dtype = np.dtype(kind)
        in_shards = dimensions[:1] == (_TIME,) and chunks[:1] == (1,)
        attributes: dict[str, Any] = {}
        if fill_value is not None:
            attributes[FILL] = encoded_fill(fill_value)
        if significant_digits is not None:
            attributes[_DIGITS] = significant_digits
        assert self._group is not None
        self._announce(name)
        array = self._group.create_array(
            name,
            shape=shape,
            chunks=chunks,
            shards={"shape": (RECORDS, *chunks[1:]), "index_location": "start"} if in_shards else None,
            dtype=dtype,
            compressors=codecs.BloscCodec(cname=compression, clevel=1, shuffle="shuffle") if compression else None,
            fill_value=netCDF4.default_fillvals[kind] if fill_value is None else fill_value,
            attributes=attributes,
            dimension_names=list(dimensions),
        )
        return self._described(array, name)

    def create_texts(self, name: str, dimension: str, texts: Sequence[str]) -> ZarrOutputVariable:
        """Make a variable of a text for each entry of a dimension."""
        assert self._group is not None
        self._announce(name)
        array = self._group.create_array(
            name, shape=(len(texts),), dtype=str, dimension_names=[dimension], compressors=None
        )
        array[:] = np.array(texts, dtype=object)
        return self._described(array, name)

    def _described(self, array: Any, name: str) -> ZarrOutputVariable:
        del array  # what the library has written of it counts
        description = json.loads((self._path / name / METADATA).read_text(encoding="utf-8"))
        description.setdefault("dimension_names", [])  # which the library leaves out of a number by itself
        self.variables[name] = ZarrOutputVariable(self._path / name, description)
        return self.variables[name]

    @property
    def history(self) -> str:
        """The attribute of that name."""
        return str(self._attributes.get("history", ""))

    def setncatts(self, attributes: Mapping[str, Any]) -> None:
        """Set attributes of the store."""
        self._attributes |= attributes

    def sync(self) -> None:
        """Let all records count that have their time."""
        records = self.variables[_TIME].records
        for variable in self.variables.values():
            variable.describe(records)
        arrays = {name: variable.description for name, variable in self.variables.items()} | self._others
        consolidated = {"kind": "inline", "must_understand": False, "metadata": arrays}
        whole = {"zarr_format": 3, "node_type": "group", "attributes": self._attributes}
        _write_json(self._path / METADATA, {**whole, "consolidated_metadata": consolidated})

    def keep(self, count: int) -> None:
        """Drop all records after the first `count`."""
        self.variables[_TIME].records = count
        self.sync()  # before they go: who reads meanwhile misses nothing that counts
        for variable in self.variables.values():
            variable.drop_after(count)

    def require_whole(self, records: int) -> None:
        """Raise `OSError` where one of the first `records` is damaged, as far as that can be seen without reading all.

        A file of chunks that is gone cannot be told from one that was never needed, because all its values are missing.
        """
        times = self.variables[_TIME].first(records)
        if not np.isfinite(times).all() or (times == self.variables[_TIME].fill).any():
            raise OSError("records have no time")
        for variable in self.variables.values():
            variable.require_whole(records)

    def isopen(self) -> bool:
        """Whether there is something to close."""
        return False

    def close(self) -> None:
        """Do nothing: its files are open only while they are written."""


def _arrays(path: Path, listed: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Descriptions of the arrays of a store, as they stand beside the arrays; `OSError` where one `listed` is gone."""
    there = (file.parent.name for file in sorted(path.glob(f"*/{METADATA}")))
    for name in dict.fromkeys((*listed, *there)):
        if listed.get(name, {}).get("node_type", "array") != "array" or "/" in name:
            continue  # a group of somebody else's, with what is in it
        if not (path / name / METADATA).is_file():
            raise OSError(f"the array {name!r} is gone")
        array = json.loads((path / name / METADATA).read_text(encoding="utf-8"))
        if array.get("node_type") == "array":
            yield name, array


def _as_written(folder: Path, description: dict[str, Any]) -> ZarrOutputVariable | None:
    """Return an array that a run writes, and None for one of somebody else's, which stays as it is.

    Raises
    ------
    OSError
        For somebody else's that is in time: it would be shorter than the others after the next record.
    """
    try:
        return ZarrOutputVariable(folder, {"dimension_names": [], "attributes": {}, **description})
    except (OSError, KeyError, IndexError, TypeError, ValueError) as error:
        if _TIME in (description.get("dimension_names") or ()):
            raise OSError(
                f"the array {folder.name!r} is not one that a run has written ({error}); move it out of the store"
            ) from error
        return None


class _Dimension(int):
    """A length, which `len` gives, too."""

    def __len__(self) -> int:
        return int(self)


class ZarrOutputVariable:
    """An array of a store that is written.

    Parameters
    ----------
    folder : Path
        Where it lies.
    description : dict
        As the store keeps it.
    """

    def __init__(self, folder: Path, description: dict[str, Any]) -> None:
        self._folder, self.description = folder, description
        self.name = folder.name
        self.dimensions = tuple(description["dimension_names"])
        self.shape: tuple[int, ...] = tuple(description["shape"])
        self.records = self.shape[0] if self._grows else 0
        codecs = description["codecs"]
        self._chunk = tuple(description["chunk_grid"]["configuration"]["chunk_shape"])
        self._records_per_file = self._chunk[0] if self._chunk else 0  # those of a store that goes on are its own
        self._in_shards = codecs[0]["name"] == "sharding_indexed"
        if self._in_shards:
            inner = codecs[0]["configuration"]
            self._chunk, codecs = tuple(inner["chunk_shape"][1:]), inner["codecs"]
        self._number, self._shards = -1, dict[tuple[int, ...], _Shard]()  # those being filled
        self._changed = True
        if description["data_type"] == "string":
            return
        self._dtype = np.dtype(description["data_type"])
        self.fill = np.array(float(description["fill_value"])).astype(self._dtype)
        self._compressor = _compressor(codecs[1:])
        digits = description["attributes"].get(_DIGITS)
        self._rounded = None if digits is None else _Rounding(self._dtype, self.fill, digits)

    @property
    def _grows(self) -> bool:
        return self.dimensions[:1] == (_TIME,)

    @property
    def tile(self) -> tuple[int, int]:
        """Rows and columns of the map in a chunk."""
        return self._chunk[-2], self._chunk[-1]

    def stored(self, values: Any) -> Array:
        """Return masked values as they are stored."""
        return np.asarray(np.ma.asarray(values).filled(self.fill.item()), dtype=self._dtype)

    def setncatts(self, attributes: Mapping[str, Any]) -> None:
        """Set attributes."""
        self.description["attributes"] |= attributes
        self._changed = True

    def setncattr(self, name: str, value: Any) -> None:
        """Set an attribute."""
        self.setncatts({name: value})

    def __getitem__(self, index: Any) -> Array:
        """Return values that do not change in time."""
        whole = np.full(self.shape, self.fill)
        for at, place in _chunks(self.shape, self._chunk):
            path = self._path(at)
            if path.exists():
                block = np.frombuffer(self._decoded(path.read_bytes()), self._dtype).reshape(self._chunk)
                whole[place] = block[tuple(slice(p.stop - p.start) for p in place)]
        return np.asarray(whole[index])

    def __setitem__(self, index: Any, values: Any) -> None:
        """Write all of it, or the record that `index` begins with."""
        values = self.stored(values)
        if not self._grows:
            assert index in (Ellipsis, slice(None))
            self._write_chunks(None, np.broadcast_to(values, self.shape))
            return
        record = int(index[0] if isinstance(index, tuple) else index)
        if self._in_shards:
            self._write_chunks(record, values)
        else:
            self._write_numbers(record, values)
        self.records = max(self.records, record + 1)

    def _write_chunks(self, record: int | None, values: Array) -> None:
        for at, place in _chunks(values.shape, self._chunk):
            self.write_chunk(record, at, values[place])

    def write_chunk(self, record: int | None, at: tuple[int, ...], values: Array) -> None:
        """Write a chunk of a record, or of what does not change in time, missing values as the fill value.

        Parameters
        ----------
        record : int or None
            From 0.
        at : tuple of int
            Position among the chunks, without that in time.
        values : ndarray
            Those of the chunk that lie in the array.
        """
        block = np.full(self._chunk, self.fill)
        block[tuple(map(slice, values.shape))] = values
        if self._rounded is not None:
            block = self._rounded(block)
        content = None if (block == self.fill).all() else self._encoded(block)
        if record is not None:
            number, place = divmod(record, self._records_per_file)
            if number != self._number:  # the indices of those before are not needed any more
                self._number, self._shards = number, {}
            if at not in self._shards:
                self._shards[at] = _Shard(self._path((number, *at)), self._records_per_file)
            self._shards[at].put(place, content)
        elif content is not None:
            _write(self._path(at), content)
        else:
            self._path(at).unlink(missing_ok=True)

    def first(self, records: int) -> Array:
        """Return the first records of a variable that has little beside time."""
        found = [np.zeros((0, *self._chunk[1:]), self._dtype)]
        for number in range(-(-records // self._records_per_file)):
            path = self._path((number, *(0 for _ in self._chunk[1:])))
            if not path.exists():
                raise OSError(f"{path.relative_to(self._folder.parent)} is gone")
            found.append(np.frombuffer(self._decoded(path.read_bytes()), self._dtype).reshape(self._chunk))
        return np.concatenate(found)[:records]

    def require_whole(self, records: int) -> None:
        """Raise `OSError` where a shard of the first `records` is damaged, or a small array lacks a file."""
        if not self._grows:
            return
        if not self._in_shards:
            self.first(records)
            return
        length = self._records_per_file
        for number in range(-(-records // length)):
            for shard in sorted((self._folder / "c" / str(number)).rglob("*")):
                if shard.is_file() and shard.name.isdigit():
                    _Shard(shard, length).require_whole(min(records - number * length, length))

    def _write_numbers(self, record: int, values: Array) -> None:
        """Write a record of a variable that has little beside time: its chunk is written anew."""
        number, place = divmod(record, self._records_per_file)
        path = self._path((number, *(0 for _ in self._chunk[1:])))
        block = np.full(self._chunk, self.fill)
        if path.exists():
            block = np.frombuffer(self._decoded(path.read_bytes()), self._dtype).reshape(self._chunk).copy()
        block[place] = values if self._rounded is None else self._rounded(np.asarray(values))
        _write(path, self._encoded(block))

    def _encoded(self, block: Array) -> bytes:
        little = np.ascontiguousarray(block, dtype=self._dtype.newbyteorder("<"))
        return little.tobytes() if self._compressor is None else bytes(self._compressor.encode(little))

    def _decoded(self, content: bytes) -> bytes:
        return content if self._compressor is None else bytes(self._compressor.decode(content))

    def _path(self, at: tuple[int, ...]) -> Path:
        return self._folder.joinpath("c", *map(str, at))

    def describe(self, records: int) -> None:
        """Write the description, with so many records, if it has changed."""
        if self._grows and self.shape[0] != records:
            self.shape = (records, *self.shape[1:])
            self.description["shape"] = list(self.shape)
            self._changed = True
        if self._changed:
            _write_json(self._folder / METADATA, self.description)
            self._changed = False

    def drop_after(self, count: int) -> None:
        """Remove chunks of records after the first `count`."""
        if not self._grows or not (self._folder / "c").is_dir():
            return
        length = self._records_per_file
        for path in (self._folder / "c").iterdir():
            if path.name.isdigit() and int(path.name) * length >= count:
                remove_chunks(path)
        last = self._folder / "c" / str(count // length)
        for shard in last.rglob("*") if self._in_shards and last.is_dir() else ():
            if shard.is_file() and shard.name.isdigit():
                _Shard(shard, length).drop_after(count % length)


class _Shard:
    """A file that holds a chunk of each of so many `records`, behind an index of where they lie.

    An entry of the index is offset and length in bytes; it is followed by its checksum, CRC32C.
    """

    def __init__(self, path: Path, records: int) -> None:
        self._path, self._size = path, 16 * records + 4
        self._index = np.full((records, 2), _NO_CHUNK, dtype="<u8")
        if path.exists():
            with path.open("rb") as file:
                head = file.read(self._size)
            if len(head) == self._size:
                self._index = np.frombuffer(head[:-4], dtype="<u8").reshape(records, 2).copy()
            if head != self._head():
                raise OSError(f"{path}: damaged: its index does not have the checksum that it says")

    def _head(self) -> bytes:
        import google_crc32c

        content = self._index.tobytes()
        return content + int(google_crc32c.value(content)).to_bytes(4, "little")

    def put(self, i: int, content: bytes | None) -> None:
        """Append the chunk of record `i`, None for missing values only, and then name it in the index."""
        if content is None and self._index[i, 0] == _NO_CHUNK:
            return
        if not self._path.exists():
            self._path.parent.mkdir(parents=True, exist_ok=True)
            _write(self._path, self._head())
        with self._path.open("r+b", buffering=0) as file:
            self._index[i] = _NO_CHUNK
            if content is not None:
                self._index[i] = file.seek(0, 2), len(content)
                _write_all(file, content)
            file.seek(0)
            _write_all(file, self._head())

    def require_whole(self, count: int) -> None:
        """Raise `OSError` where the file ends before a chunk of the first `count` records does."""
        kept = self._index[:count]
        kept = kept[kept[:, 0] != _NO_CHUNK]
        if max([0, *kept.sum(axis=1).tolist()]) > self._path.stat().st_size:
            raise OSError(f"{self._path}: damaged: it ends before the chunks that its index names")

    def drop_after(self, count: int) -> None:
        """Forget the chunks of all but the first `count` records."""
        self._index[count:] = _NO_CHUNK
        kept = self._index[self._index[:, 0] != _NO_CHUNK]
        with self._path.open("r+b", buffering=0) as file:
            _write_all(file, self._head())
            file.truncate(max([self._size, *kept.sum(axis=1).tolist()]))


class _Rounding:
    """Numbers rounded to decimal digits as the NetCDF library rounds them, by that library, in memory."""

    def __init__(self, dtype: np.dtype[Any], fill: Array, digits: int) -> None:
        self._dtype, self._fill, self._digits = dtype, fill, digits

    def __call__(self, block: Array) -> Array:
        with netCDF4.Dataset("in_memory.nc", "w", diskless=True) as data:
            data.createDimension("i", block.size)
            variable = data.createVariable(
                "numbers", self._dtype, ("i",), fill_value=self._fill, **rounding(self._digits)
            )
            variable.set_auto_maskandscale(False)
            variable[:] = block.reshape(-1)
            return np.asarray(variable[:]).reshape(block.shape)


def tile(shape: Sequence[int], size: int, arrangement: tuple[int, int], limit: int) -> tuple[int, ...]:
    """Return how much of an array of items of `size` bytes a chunk holds.

    Parameters
    ----------
    shape : sequence of int
        Of a record; ([layers,] ny, nx) of a map, which is divided; nothing else is.
    size : int
        Bytes of an item.
    arrangement : (int, int)
        Processes from west to east and from south to north; a chunk is about the part of one.
    limit : int
        Bytes of the largest chunk.
    """
    if len(shape) < 2:
        return tuple(shape)
    *others, ny, nx = shape
    rows, columns = -(-ny // arrangement[1]), -(-nx // arrangement[0])
    while size * int(np.prod(others)) * rows * columns > limit and rows * columns > 1:
        rows, columns = (-(-rows // 2), columns) if rows >= columns else (rows, -(-columns // 2))
    return (*others, rows, columns)


def _chunks(shape: Sequence[int], chunk: Sequence[int]) -> Iterator[tuple[tuple[int, ...], tuple[slice, ...]]]:
    """Position of each chunk of an array, and its place there."""
    for at in product(*(range(-(-size // step)) for size, step in zip(shape, chunk, strict=True))):
        ends = zip(at, chunk, shape, strict=True)
        yield at, tuple(slice(i * step, min((i + 1) * step, size)) for i, step, size in ends)


def _compressor(codecs: Sequence[Mapping[str, Any]]) -> Any:
    """Return the compressor that an array names; None without one."""
    from numcodecs import Blosc

    if not codecs:
        return None
    (codec,) = codecs
    if codec["name"] != "blosc":
        raise OSError(f"compressed by {codec['name']}, which is not written here")
    asked = codec["configuration"]
    return Blosc(asked["cname"], asked["clevel"], {"noshuffle": 0, "shuffle": 1, "bitshuffle": 2}[asked["shuffle"]])


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    _write(path, json.dumps(content, default=_plain).encode())


def _plain(value: Any) -> Any:
    """Return numbers of NumPy, which attributes may hold, as those of Python."""
    return value.tolist()


def _write(path: Path, content: bytes) -> None:
    """Write a file; a reader finds the old one or the whole new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(draft_name(path.name))
    draft.write_bytes(content)
    draft.replace(path)


def _write_all(file: Any, content: bytes) -> None:
    """Write all bytes to an unbuffered file, or raise `OSError`: a full disk takes some."""
    view = memoryview(content)
    while view:
        view = view[file.write(view) :]
