"""A ParFlow run definition: its keys and values, and which of them were used."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from bmi_common.config import read_yaml
from bmi_common.errors import ConfigError
from bmi_common.suggest import did_you_mean

Value = str | int | float | bool

_TRUTH: Final = {"true": True, "1": True, "false": False, "0": False}


class Definition:
    """Keys and values of a run, flat (``Geom.domain.Upper.X``), as ParFlow itself reads them.

    Every key that is asked for counts as used; what is left says what an import has not understood.

    Parameters
    ----------
    path : Path
        The file, for messages; file names in the definition are relative to its folder.
    values : mapping
        By key.
    lines : mapping
        Line of a key in the file, where known.
    """

    def __init__(self, path: Path, values: Mapping[str, Value], lines: Mapping[str, int] | None = None) -> None:
        self.path = path
        self._values = dict(values)
        self._lines = dict(lines or {})
        self._used: set[str] = set()

    def __contains__(self, key: str) -> bool:
        return key in self._values

    @property
    def folder(self) -> Path:
        """Where ParFlow runs."""
        return self.path.parent

    @property
    def keys(self) -> list[str]:
        """All keys, as they stand in the file."""
        return list(self._values)

    @property
    def unused(self) -> list[str]:
        """Keys that nobody has asked for."""
        return [key for key in self._values if key not in self._used]

    def use(self, *keys: str) -> None:
        """Count keys as understood."""
        self._used.update(keys)

    def below(self, prefix: str) -> Iterator[str]:
        """Keys that begin with ``prefix.``."""
        return (key for key in self._values if key.startswith(prefix + "."))

    def error(self, key: str, message: str) -> ConfigError:
        """Build the error that names file, line and key."""
        line = self._lines.get(key)
        return ConfigError(f"{self.path}{f':{line}' if line else ''}: {key}: {message}")

    def text(self, key: str, default: str | None = None) -> str:
        """Value of a key as text, without blanks around it; here and below, a key without a default must be there."""
        return str(self._get(key, default)).strip()

    def number(self, key: str, default: float | None = None) -> float:
        """Value of a key as a number."""
        value = self._get(key, default)
        try:
            number = float(value)
        except (ValueError, OverflowError):
            raise self.error(key, f"expected a number, got {value!r}") from None
        if not math.isfinite(number):
            raise self.error(key, f"expected a finite number, got {value!r}")
        return number

    def integer(self, key: str, default: int | None = None) -> int:
        """Value of a key as a whole number."""
        value = self.number(key, default)
        if value != int(value):
            raise self.error(key, f"expected a whole number, got {value:g}")
        return int(value)

    def flag(self, key: str, default: bool = False) -> bool:
        """Value of a key as true or false; ParFlow's files have words and 0 or 1."""
        value = self._get(key, default)
        try:
            return _TRUTH[str(value).strip().lower()]
        except KeyError:
            raise self.error(key, f"expected True or False, got {value!r}") from None

    def names(self, key: str, default: str | None = None) -> list[str]:
        """Value of a key as names separated by blanks."""
        return self.text(key, default).split()

    def choice(self, key: str, known: tuple[str, ...], default: str | None = None) -> str:
        """Value of a key that must be one of several words."""
        value = self.text(key, default)
        if value not in known:
            raise self.error(key, f"{value!r} is not supported; supported: {', '.join(known)}")
        return value

    def file(self, key: str) -> Path:
        """Existing file that a key names."""
        name = self.text(key)
        path = self.folder / name
        if not path.is_file():
            here = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
            raise self.error(key, f"no such file: {path}{did_you_mean(path.name, here) if here else ''}")
        return path

    def _get(self, key: str, default: Value | None) -> Value:
        self._used.add(key)
        if key in self._values:
            return self._values[key]
        if default is not None:
            return default
        raise ConfigError(f"{self.path}: {key}: this key is missing{_similar(key, self._values)}")


def _similar(key: str, known: Mapping[str, Value]) -> str:
    hint = did_you_mean(key, known)
    return hint if "did you mean" in hint else ""


def read_definition(path: Path) -> Definition:
    """Read a ``.pfidb``, ``.yaml`` or ``.yml`` file of ParFlow.

    Raises
    ------
    ConfigError
        If it is missing, of another kind, damaged, or ParFlow's Python tools are not installed.
    """
    if not path.is_file():
        raise ConfigError(f"{path}: no such file")
    match path.suffix.lower():
        case ".pfidb":
            return Definition(path, _read_pfidb(path))
        case ".yaml" | ".yml":
            return _from_yaml(path)
        case _:
            raise ConfigError(
                f"{path}: a run definition ends in .pfidb or .yaml; a script (.py, .tcl) writes one when it runs "
                "(pftools: run.write(file_format='yaml'))"
            )


def _read_pfidb(path: Path) -> dict[str, Value]:
    try:
        from parflow.tools.io import read_pfidb  # imports slowly
    except ImportError as error:
        raise ConfigError(
            f"{path}: reading ParFlow's files needs pftools, the optional extra `parflow`: "
            f"pip install 'rootzone[parflow]' ({error})"
        ) from error
    try:
        count = int(path.read_text(encoding="utf-8").split("\n", 1)[0])
        values: dict[str, Value] = read_pfidb(str(path.resolve()))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: not a readable pfidb file: {error}") from error
    if len(values) != count:
        raise ConfigError(f"{path}: not a whole pfidb file: it announces {count} keys and has {len(values)}")
    return values


def _from_yaml(path: Path) -> Definition:
    document = read_yaml(path)
    if not isinstance(document.data, Mapping):
        raise ConfigError(f"{path}: not a run definition: expected keys and values at the top")
    values: dict[str, Value] = {}
    lines: dict[str, int] = {}
    for at, value in _leaves(document.data, ()):
        # `_value_` is the value of a key that has others below it; numbers have an underscore in Python scripts
        parts = [str(p) for p in at if p != "_value_"]
        key = ".".join(p[1:] if p[:1] == "_" and p[1:].isdigit() else p for p in parts)
        if isinstance(value, list):
            value = " ".join(map(str, value))
        values[key] = "" if value is None else value
        line = document.line(at)
        if line is not None:
            lines[key] = line
    return Definition(path, values, lines)


def _leaves(data: Any, at: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], Any]]:
    if isinstance(data, Mapping):
        for key, value in data.items():
            yield from _leaves(value, (*at, key))
    else:
        yield at, data
