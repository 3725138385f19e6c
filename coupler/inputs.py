"""Files that a run reads: what its configurations name, and what its components say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from bmi_common.config import Document, folders, read_yaml, substitute
from bmi_common.errors import ConfigError
from coupler.config import LoadedRun

_NAMES_OF_FOLDERS = ("paths", "relative_to")
"""Keys whose folders count where they are used."""
_WRITTEN = ("folder", "output")
"""Keys of ``coupled.yaml`` that name what is written."""


def inputs_of(loaded: LoadedRun, configs: Mapping[str, Path], told: Iterable[str]) -> list[Path]:
    """Gather files and folders that a run reads.

    A component of somebody else says nothing of what it reads, so that every text in a configuration that is the
    name of something that exists counts, in the files that it names, too.

    Parameters
    ----------
    loaded : LoadedRun
        The run.
    configs : mapping
        The file that each component reads.
    told : iterable of str
        What components say that they have read.
    """
    found: dict[Path, None] = {loaded.document.path: None}
    read = {key: value for key, value in loaded.document.data.items() if key not in _WRITTEN}
    for document in (replace(loaded.document, data=read), *_documents(configs.values())):
        _add_named(document, loaded.named, found)
    return [*found, *map(Path, told)]  # first as the user has written them


def _documents(files: Iterable[Path]) -> Iterator[Document]:
    for file in files:
        if file.suffix.lower() in (".yaml", ".yml"):
            with suppress(ConfigError):  # who reads it will say
                yield read_yaml(file)


def _add_named(document: Document, named: Mapping[str, Path], found: dict[Path, None]) -> None:
    if not isinstance(document.data, Mapping):
        return
    with suppress(ConfigError):
        base, known = folders(document, named)
        content = {k: v for k, v in document.data.items() if k not in _NAMES_OF_FOLDERS}
        for text in _texts(substitute(content, known, document, ())):
            path = _existing(base, text)
            if path is None or path in found:
                continue
            found[path] = None
            for inner in _documents([path]):
                _add_named(inner, known, found)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _texts(part)
    elif isinstance(value, list):
        for part in value:
            yield from _texts(part)


def _existing(base: Path, text: str) -> Path | None:
    try:
        path = base / Path(text).expanduser()
        return path if text and path.exists() else None
    except (OSError, ValueError, RuntimeError):  # too long, or no name of a file
        return None
