"""Folders that this package fills, and what in them is its own.

Such a folder has a record, ``.rootzone.files``: what it holds, and every file that was written into it, each entered
before it is written. Only what stands in the record is ever removed or replaced, so that a user's files are safe beside
it, and a folder without a record is somebody else's. Links are never followed. What is removed while the work goes on
leaves the record after that.

A Zarr store, whose name ends in ``.zarr``, stands in the record, and each array in it, too: ``hourly.zarr/depth``. Of
such a folder that is ours which has the place of its description, or of a chunk. A store that holds an array or group
of somebody else's is not removed.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Container, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Any

from bmi_common.errors import ConfigError
from bmi_common.folder_lock import locked, require_at_rest
from bmi_common.interrupts import require_not_interrupted, signals_held
from bmi_common.zarr_file import METADATA, METADATA_OF_2, SUFFIX

RECORD = ".rootzone.files"
FORMAT = "rootzone folder"
VERSION = 1

_HIDDEN = ".rootzone."
"""Before the names of what this module keeps in a folder for itself."""
_STAGING = f"{_HIDDEN}staging-"
_REMOVED = "removed"
_NAMED = 4
"""Files that a message names, at most."""
_OF_STORE = re.compile(rf"{re.escape(METADATA)}|\.{re.escape(METADATA)}\.partial")
"""Files of a Zarr store of format 3 itself: its description, a draft of it."""
_OF_ARRAY = re.compile(rf"{_OF_STORE.pattern}|c(?:/\d+)*|\.c\.partial|c/(?:\d+/)*\.\d+\.partial")
"""Files of an array in one: its description, a chunk, a draft of either."""
_OF_CHUNKS = re.compile(r"\d+(?:/\d+)*|(?:\d+/)*\.\d+\.partial")
"""Files below the folder of an array's chunks, or below one in that: a chunk, a draft of one."""


class OwnedFolder:
    """A folder of this package, locked for this process.

    Made by `taken`.

    Attributes
    ----------
    path : Path
        The folder.
    holds : str
        What it is for, such as ``run``.
    """

    def __init__(self, path: Path, holds: str) -> None:
        self.path, self.holds = path, holds
        there, names = read_record(path) or (holds, [])
        _require_same(path, there, holds)
        self._owned = dict.fromkeys(names)

    @property
    def record(self) -> Path:
        """The record of the folder."""
        return self.path / RECORD

    # ------------------------------------------------------------------ what is whose

    def files(self) -> list[str]:
        """Names of the files that were written here and are still there, as POSIX paths below the folder.

        Raises
        ------
        ConfigError
            If one of them, or a folder on the way to it, is a link or no plain file any more.
        """
        return [name for name in self._owned if self._is_there(name)]

    def others(self) -> list[str]:
        """Names of what else lies here, which is the user's."""
        found = []
        for folder, folders, files in os.walk(self.path):
            base = Path(folder)
            for name in [*files, *(f for f in folders if (base / f).is_symlink())]:
                path = (base / name).relative_to(self.path).as_posix()
                if not self._owns(path) and not path.startswith(_HIDDEN) and not self._is_draft(path):
                    found.append(path)
        return sorted(found)

    def _owns(self, name: str) -> bool:
        """Whether a file stands in the record, or belongs to a store or an array that does."""
        path = PurePosixPath(name)
        above = (folder for folder in path.parents if folder.as_posix() in self._owned)
        return name in self._owned or any(
            inner is not None and inner.fullmatch(path.relative_to(folder).as_posix())
            for folder in above
            for inner in [_files_of(folder.as_posix())]
        )

    def require_room(self, names: Iterable[str]) -> None:
        """Refuse names that are to be written while something of the user's lies there.

        Raises
        ------
        ConfigError
            Naming the files.
        """
        names = list(names)
        taken = [n for n in names if n not in self._owned and self._is_taken(n)]
        if taken:
            raise ConfigError(
                f"{self.path}: {listed(taken)} would be replaced by the {self.holds}, but "
                f"{_was(taken)} not written by one; move {_it(taken)} away or choose another folder"
            )
        for name in names:
            self._require_no_links(name)

    def _is_taken(self, name: str) -> bool:
        """Whether something lies where a file is to be written; of a store, a description of it or of what it holds."""
        path = self.path / name
        if _files_of(name) is None or not path.is_dir() or path.is_symlink():
            return os.path.lexists(path)
        return any(any(path.rglob(description)) for description in (METADATA, *METADATA_OF_2))

    def require_not_removed(self, inputs: Iterable[Path]) -> None:
        """Refuse to remove what the coming work reads.

        Parameters
        ----------
        inputs : iterable of Path
            Files, or folders that are read as a whole; what does not exist is passed over.

        Raises
        ------
        ConfigError
            Naming the file.
        """
        doomed = {_identity(self.path / name): name for name in self.files()}
        here = Path(os.path.realpath(self.path))
        for path in inputs:
            real = Path(os.path.realpath(path))
            if path.is_dir():
                below = [n for n in doomed.values() if (here / n).is_relative_to(real)]
                name = below[0] if below and real.is_relative_to(here) else None
            else:
                name = doomed.get(_identity(path)) if path.is_file() else None
            # a second hard link keeps the content
            if name is not None and ((here / name).stat().st_nlink == 1 or (here / name).is_relative_to(real)):
                raise ConfigError(
                    f"{path}: is read by the {self.holds} that is to begin, and lies among the files of {self.path} "
                    "that would be removed; choose another folder, or copy the file to another place and give the copy"
                )

    def _is_there(self, name: str) -> bool:
        """Tell whether a file of ours exists; refuse what has taken its place."""
        parts = PurePosixPath(name).parts
        path = self.path
        for i, part in enumerate(parts):
            path = path / part
            try:
                mode = path.lstat().st_mode
            except (FileNotFoundError, NotADirectoryError):
                return False
            except OSError as error:
                raise ConfigError(f"{path}: cannot be read: {error}") from error
            is_file = i == len(parts) - 1 and _files_of(name) is None
            if stat.S_ISLNK(mode):
                raise _link(path, "file" if is_file else "folder")
            if not (stat.S_ISREG if is_file else stat.S_ISDIR)(mode):
                raise ConfigError(f"{path}: is not what {_a(self.holds)} has written there; move it away")
        return True

    def _require_no_links(self, name: str) -> None:
        """Refuse links in the place of a file of ours; of a store, in those of its arrays and their chunks, too."""
        self._is_there(name)
        below = [n for n in self._owned if n.startswith(f"{name}/")] if name.endswith(SUFFIX) else []
        for node in (name, *below):
            ours, root = _files_of(node), self.path / node
            if ours is None or not self._is_there(node):
                continue
            for folder, folders, files in os.walk(root):
                for path in (Path(folder) / inner for inner in (*folders, *files)):
                    if path.is_symlink() and ours.fullmatch(path.relative_to(root).as_posix()):
                        raise _link(path, "file or folder")

    def _is_draft(self, name: str) -> bool:
        path = PurePosixPath(name)
        whole = path.name.removeprefix(".").removesuffix(".partial")
        return path.name == draft_name(whole) and str(path.with_name(whole)) in self._owned

    # ------------------------------------------------------------------ writing

    def own(self, *names: str) -> None:
        """Enter files that are about to be written; together with each, its draft ``.<name>.partial``.

        Raises
        ------
        ConfigError
            If a file of the user's, or a link, lies there.
        """
        self.require_room(names)
        self._enter(n for n in names if n not in self._owned)

    def adopt(self, names: Iterable[str]) -> None:
        """Enter files that have been proved to be ours in another way."""
        self._enter(n for n in names if n not in self._owned and self._is_there(n))

    def _enter(self, names: Iterable[str]) -> None:
        new = list(dict.fromkeys(names))
        if not new and self.record.exists():
            return
        try:
            if not self.record.exists():
                self._begin()
            self._append(new)
        except OSError as error:  # a full disk
            raise ConfigError(f"{self.path}: cannot be written: {error}") from error
        self._owned.update(dict.fromkeys(new))

    def _append(self, entries: Iterable[Any]) -> None:
        with self.record.open("r+b") as file:
            file.truncate(file.read().rfind(b"\n") + 1)  # what a kill has cut off
            file.seek(0, os.SEEK_END)
            file.writelines(f"{json.dumps(entry)}\n".encode("ascii") for entry in entries)
            file.flush()
            os.fsync(file.fileno())

    def _begin(self) -> None:
        """Write an empty record, in one piece."""
        draft = self.path / f"{RECORD}.draft"
        header = {"format": FORMAT, "version": VERSION, "holds": self.holds}
        with draft.open("w", encoding="ascii") as file:
            file.write(json.dumps(header) + "\n")
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self.record)
        self._owned = {}

    @contextmanager
    def staging(self, below: str = "", beside: bool = False) -> Iterator[Path]:
        """Give a hidden folder; what is in it at the end replaces what `below` had, and vanishes on an error.

        Parameters
        ----------
        below : str
            Sub-folder that it is published into; by default the folder itself.
        beside : bool
            Give one beside the folder instead of in it, so that relative paths hold in both.

        Raises
        ------
        ConfigError
            If a file of the user's would be replaced, or a folder cannot be written; all is as it was then.
        """
        self.require_removable()
        self._enter(())
        absolute = Path(os.path.realpath(self.path))
        self._remove_stagings()  # of works that were killed: the folder is locked for this one
        parent, prefix = absolute, _STAGING
        if beside:
            parent, prefix = absolute.parent, f"{_STAGING}{absolute.name}-"
            _remove_stagings(parent, prefix)
        with tempfile.TemporaryDirectory(prefix=prefix, dir=parent, ignore_cleanup_errors=True) as name_of_made:
            made = Path(name_of_made)
            yield made
            made_names = sorted(p.relative_to(made).as_posix() for p in made.rglob("*") if p.is_file())
            prefix = f"{below}/" if below else ""
            names = {prefix + n: made / n for n in made_names}
            self.require_room(names)
            _require_replaceable((self.path / name).parent for name in names)
            require_not_interrupted()
            with signals_held():  # an interrupt would leave a mixture of old and new
                self.remove(n for n in self.files() if n.startswith(prefix) and n not in names)
                self.own(*names)
                for published, source in names.items():
                    target = self.path / published
                    target.parent.mkdir(parents=True, exist_ok=True)
                    source.replace(target)

    # ------------------------------------------------------------------ removing

    def leave_nothing(self) -> None:
        """Remove the record where there is nothing of ours."""
        with suppress(OSError, ConfigError):
            if not self.files():
                self.record.unlink()

    def require_removable(self) -> None:
        """Refuse, before anything is removed, what could not be removed.

        Raises
        ------
        ConfigError
            Naming a link, a folder that cannot be written, or an array or a group of somebody else's in a store.
        """
        folders = {self.path}
        for name in self.files():
            folders.add((self.path / name).parent)
            if _files_of(name) is not None:
                folders.update(Path(folder) for folder, _, _ in os.walk(self.path / name))
        _require_replaceable(folders)
        for name in (name for name in self.files() if name.endswith(SUFFIX)):
            self._require_no_links(name)
            self._require_no_nodes_of_others(self.path / name)

    def _require_no_nodes_of_others(self, store: Path) -> None:
        """Refuse a Zarr store with arrays or groups that are not in the record: without it they lose their place."""
        nodes = (file.parent for file in store.rglob(METADATA) if file.parent != store)
        strange = [n for n in nodes if n.relative_to(self.path).as_posix() not in self._owned]
        if strange:
            names = sorted(n.relative_to(store).as_posix() for n in strange)
            raise ConfigError(
                f"{store}: is to be replaced, and holds {listed(names)}, which {_was(names)} not written by "
                f"{_a(self.holds)}; move {_it(names)} out of it, or choose another folder"
            )

    def clear(self) -> None:
        """Remove all files of ours, and begin a new record; the user's stay.

        Raises
        ------
        ConfigError
            If that fails.
        """
        self.require_removable()
        try:
            self.remove(self.files())
            self._remove_stagings()
            self._begin()
        except OSError as error:
            raise ConfigError(f"{self.path}: cannot be written: {error}") from error

    def _remove_stagings(self) -> None:
        _remove_stagings(self.path, _STAGING)

    def remove(self, names: Iterable[str]) -> None:
        """Remove files of ours in this order, and folders below this one that are empty then; never others."""
        folders: set[Path] = set()
        gone = []
        for name in names:
            if name not in self._owned:
                raise ValueError(f"{name} does not stand in {self.record}")
            path = self.path / name
            if self._is_there(name):
                inner = _files_of(name)
                if inner is None:
                    path.unlink()
                else:
                    _remove_files(path, inner)
            draft = (PurePosixPath(name).parent / draft_name(path.name)).as_posix()
            if self._is_there(draft):
                (self.path / draft).unlink()
            folders.update(p for p in path.parents if p.is_relative_to(self.path) and p != self.path)
            gone.append(name)
        if gone:
            self._append([{_REMOVED: gone}])
            for name in gone:
                self._owned.pop(name, None)
        for folder in sorted(folders, key=lambda p: len(p.parts), reverse=True):
            with suppress(OSError):  # not empty, or gone
                folder.rmdir()


class FolderOfProcessZero(OwnedFolder):
    """The folder as the other processes of a run have it: they write nothing in it."""

    def own(self, *names: str) -> None:
        """Leave the record to process 0."""
        return

    def adopt(self, names: Iterable[str]) -> None:
        """Leave the record to process 0."""
        return

    def remove(self, names: Iterable[str]) -> None:
        """Leave the files to process 0."""
        return


def _link(path: Path, real: str) -> ConfigError:
    return ConfigError(
        f"{path}: is a link to {path.readlink()}, which is not written through; put the real {real} there, or move the "
        "link away"
    )


def _require_replaceable(folders: Iterable[Path]) -> None:
    """Refuse folders that are there and cannot be written."""
    for folder in dict.fromkeys(folders):
        if folder.is_dir() and not os.access(folder, os.W_OK | os.X_OK):
            raise ConfigError(f"{folder}: cannot be written; files in it are to be replaced")


def _files_of(name: str) -> re.Pattern[str] | None:
    """Return what is ours of a Zarr store, or an array in one, of that name in the record; None for a plain file."""
    if name.endswith(SUFFIX):
        return _OF_STORE
    return _OF_ARRAY if PurePosixPath(name).parent.name.endswith(SUFFIX) else None


def remove_chunks(path: Path) -> None:
    """Remove a chunk of an array, or the chunks in a folder of them; what else lies there stays."""
    if path.is_dir():
        _remove_files(path, _OF_CHUNKS)
    else:
        path.unlink()


def _remove_files(root: Path, ours: re.Pattern[str]) -> None:
    """Remove the files below a folder that are ours, and folders that are empty then."""
    below = [Path(folder) / file for folder, _, files in os.walk(root) for file in files]
    for path in below:
        if ours.fullmatch(path.relative_to(root).as_posix()):
            path.unlink()
    for folder, _, _ in os.walk(root, topdown=False):
        with suppress(OSError):  # not empty
            Path(folder).rmdir()


def draft_name(name: str) -> str:
    """Name under which a file of this name is written before it is whole."""
    return f".{name}.partial"


@contextmanager
def taken(path: Path, holds: str) -> Iterator[OwnedFolder]:
    """Lock a folder, which is made if it does not exist and removed if it is still empty at the end.

    Parameters
    ----------
    path : Path
        The folder.
    holds : str
        What it is for, such as ``run``.

    Raises
    ------
    ConfigError
        If it cannot be written or is in use.
    """
    require_writable(path)
    made: list[Path] = []
    try:
        for folder in reversed([p for p in (path, *path.parents) if not os.path.lexists(p)]):
            with suppress(FileExistsError):  # another process's, at the same moment
                folder.mkdir()
                made.append(folder)
    except OSError as error:
        _remove_empty(made)
        raise ConfigError(f"{path}: cannot be written: {error}") from error
    try:
        with locked(path, _a(holds)):
            owned = OwnedFolder(path, holds)
            try:
                yield owned
            finally:
                owned.leave_nothing()
    finally:
        _remove_empty(made)


@contextmanager
def new_folder(path: Path, holds: str, overwrite: bool, beginnings: Container[str] = ()) -> Iterator[OwnedFolder]:
    """Lock a folder that is to be filled; nothing in it is changed.

    Parameters
    ----------
    path : Path
        The folder.
    holds : str
        What is to be written.
    overwrite : bool
        Whether what the folder holds may be replaced.
    beginnings : container of str
        Files, and folders of files, that nobody would miss: a folder with no others of ours may be taken without
        `overwrite`.

    Raises
    ------
    ConfigError
        If it is a file, is not writable, is in use, holds the same already and `overwrite` is false, or holds something
        else.
    """
    require_writable(path)
    if path.is_dir():
        require_at_rest(path)
        _require_ours(path, holds, overwrite, beginnings)  # before a lock is put into a folder of somebody else
    with taken(path, holds) as owned:
        _require_ours(path, holds, overwrite, beginnings)
        yield owned


def _remove_stagings(parent: Path, prefix: str) -> None:
    """Remove folders that `tempfile` has given this prefix; its own part of a name has no hyphen."""
    for path in parent.iterdir():
        own = path.name.removeprefix(prefix)
        if own != path.name and "-" not in own and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)


def _remove_empty(folders: list[Path]) -> None:
    for folder in reversed(folders):
        with suppress(OSError):
            folder.rmdir()


def require_writable(path: Path) -> None:
    """Refuse a path that no folder can be at, without changing anything.

    Raises
    ------
    ConfigError
        If it is a file, or it or the folder above it is not writable.
    """
    there = path
    while not os.path.lexists(there):  # unlike Path.exists, quiet about folders that cannot be entered
        there = there.parent
    if there == path and not path.is_dir():
        what = "a link to nothing" if path.is_symlink() and not path.exists() else "a file"
        raise ConfigError(f"{path}: is {what}; a folder is needed")
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise ConfigError(f"{path}: cannot be written, because {there} is no folder that can be written to")


def _is_empty(path: Path) -> bool:
    """Whether a folder does not exist, or holds nothing but a lock."""
    return not path.is_dir() or all(p.name.startswith(_HIDDEN) and p.name != RECORD for p in path.iterdir())


def _require_ours(path: Path, holds: str, overwrite: bool, beginnings: Container[str]) -> None:
    """Refuse a folder that is not empty, except one of this package that holds the same and is to be overwritten."""
    if _is_empty(path):
        return
    found = read_record(path)
    if found is None:
        raise ConfigError(
            f"{path}: is not empty and holds no {holds} (its {RECORD} is missing; an earlier version wrote none), so "
            "that nothing in it is touched; choose another folder"
        )
    there, names = found
    _require_same(path, there, holds)
    if path.is_symlink():
        raise ConfigError(
            f"{path}: is a link, through which nothing is removed; give the folder itself: {os.path.realpath(path)}"
        )
    if not overwrite and any(name.split("/")[0] not in beginnings and os.path.lexists(path / name) for name in names):
        raise ConfigError(f"{path}: holds {_a(there)} already; choose another folder or give --overwrite")


def _require_same(path: Path, there: str, holds: str) -> None:
    if there != holds:
        raise ConfigError(f"{path}: holds {_a(there)}, no {holds}; choose another folder")


def read_record(path: Path) -> tuple[str, list[str]] | None:
    """Read what a folder holds and which files were written into it; None if it has no record.

    Raises
    ------
    ConfigError
        If the record is damaged or of a newer version.
    """
    record = path / RECORD
    try:
        if not stat.S_ISREG(record.lstat().st_mode):  # a pipe would be read without end
            raise ValueError("it is no plain file")
        header, *lines = record.read_text(encoding="ascii").split("\n")
        about: Any = json.loads(header)
        if about["format"] != FORMAT:
            raise ValueError(f"its format is {about['format']!r}")
        if about["version"] > VERSION:
            raise ConfigError(f"{record}: is of a newer version of this software; nothing is replaced there")
        # the last piece was cut off by a kill, unless it is empty: its file was not begun
        owned: dict[str, None] = {}
        for line in lines[:-1]:
            entry = json.loads(line)
            if isinstance(entry, dict):
                for name in entry[_REMOVED]:
                    owned.pop(name, None)
            else:
                owned[_name(entry)] = None
        return str(about["holds"]), list(owned)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(
            f"{record}: damaged ({type(error).__name__}: {error}), so that nothing in the folder is replaced; choose "
            "another folder"
        ) from error


def _name(value: Any) -> str:
    parts = PurePosixPath(value).parts
    if not parts or PurePosixPath(value).is_absolute() or ".." in parts or "\0" in value:
        raise ValueError(f"{value!r} is no file below the folder")
    return PurePosixPath(value).as_posix()


def _identity(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino


def listed(names: list[str]) -> str:
    """Return the first few of some names, and how many more there are."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _a(word: str) -> str:
    return f"{'an' if word[0] in 'aeiou' else 'a'} {word}"


def _was(names: list[str]) -> str:
    return "was" if len(names) == 1 else "were"


def _it(names: list[str]) -> str:
    return "it" if len(names) == 1 else "them"
