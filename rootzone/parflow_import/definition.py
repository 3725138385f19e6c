"""A ParFlow run definition: its keys and values, and which of them were used."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from bmi_common.config import read_yaml
from bmi_common.errors import ConfigError
from bmi_common.pfidb import leading_number, read_pfidb
from bmi_common.suggest import did_you_mean

Value = str | int | float | bool

_TRUTH: Final = {"true": True, "false": False, "yes": True, "no": False, "on": True, "off": False}
"""ParFlow's words, and those that its Python tools read from YAML."""
_FORTRAN_ONE: Final = re.compile(r"d[+-]?0+", re.ASCII | re.IGNORECASE)
_DECIMAL_COMMA: Final = re.compile(r",\d", re.ASCII)
_VARIABLE: Final = re.compile(r"\$(?:\{(\w+)\}|(\w+))", re.ASCII)


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

    Attributes
    ----------
    notices : list of str
        Numbers of which ParFlow reads another value than stands there.
    """

    def __init__(self, path: Path, values: Mapping[str, Value], lines: Mapping[str, int] | None = None) -> None:
        self.path = path
        self._values = dict(values)
        self._lines = dict(lines or {})
        self._used: set[str] = set()
        self.notices: list[str] = []

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
        return ConfigError(message, key=key, file=self.path, line=self._lines.get(key))

    def text(self, key: str, default: str | None = None) -> str:
        """Value of a key as text, without blanks around it; here and below, a key without a default must be there."""
        return str(self._get(key, default)).strip()

    def number(self, key: str, default: float | None = None) -> float:
        """Value of a key as a number, as ParFlow reads it: ``1.0d0`` is 1, and so is ``1.0d3``, with a notice."""
        text, read = self._scan(key, default, whole=False)
        number = float(read)
        if not math.isfinite(number):
            raise self.error(key, f"expected a finite number, got {text!r}")
        self._note_rest(key, text, read)
        return number

    def integer(self, key: str, default: int | None = None) -> int:
        """Value of a key as ParFlow reads a whole number: ``10.0`` is 10; ``1e3`` is 1, with a notice."""
        text, read = self._scan(key, default, whole=True)
        try:
            number = int(read)
        except ValueError:  # more digits than Python reads
            raise self.error(key, f"expected a whole number, got {text!r}") from None
        self._note_rest(key, text, read)
        return number

    def _scan(self, key: str, default: float | None, whole: bool) -> tuple[str, str]:
        text = str(self._get(key, default)).strip()
        read = leading_number(text, whole)
        if read is None:
            raise self.error(key, f"expected a {'whole ' if whole else ''}number, got {text!r}")
        return text, read

    def _note_rest(self, key: str, text: str, read: str) -> None:
        rest = text[len(read) :]
        if _DECIMAL_COMMA.match(rest):
            raise self.error(key, f"expected a number, got {text!r}; decimals follow a point, not a comma")
        if not rest or _FORTRAN_ONE.fullmatch(rest):
            return
        try:
            if float(text) == float(read):
                return
        except ValueError:
            pass
        notice = f"{key} is {text!r}, of which ParFlow reads {read} and passes over the rest; so does the import"
        if notice not in self.notices:
            self.notices.append(notice)

    def flag(self, key: str, default: bool = False) -> bool:
        """Value of a key as true or false; ParFlow's files have words, and numbers of which only 0 is false."""
        value = str(self._get(key, default)).strip()
        if value.lower() in _TRUTH:
            return _TRUTH[value.lower()]
        if leading_number(value, whole=True) is None:
            raise self.error(key, f"expected True or False, got {value!r}")
        return self.integer(key) != 0

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
        path = self.location(key)
        if not path.is_file():
            here = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() and not path.is_dir() else []
            raise self.error(key, f"{absent(path)}{did_you_mean(path.name, here) if here else ''}")
        return path

    def location(self, key: str, default: str | None = None) -> Path:
        """File or folder that a key names, there or not, relative to where ParFlow runs.

        ParFlow's tools replace environment variables in names (``$HOME/slopes.pfb``).
        """
        name = self.text(key, default)
        for match in _VARIABLE.finditer(name):
            variable = match[1] or match[2]
            if variable not in os.environ:
                raise self.error(key, f"{name}: the environment variable {variable} is not set")
        return self.folder / os.path.expandvars(name)

    def _get(self, key: str, default: Value | None) -> Value:
        self._used.add(key)
        if key in self._values:
            return self._values[key]
        if default is not None:
            return default
        raise ConfigError(f"{self.path}: {key}: this key is missing{_similar(key, self._values)}")


def absent(path: Path) -> str:
    """Say that there is no file of this name, or a folder in its place."""
    return f"{'is a folder, not a file' if path.is_dir() else 'no such file'}: {path}"


def _similar(key: str, known: Mapping[str, Value]) -> str:
    hint = did_you_mean(key, known)
    return hint if "did you mean" in hint else ""


def read_definition(path: Path) -> Definition:
    """Read a ``.pfidb``, ``.yaml`` or ``.yml`` file of ParFlow.

    Raises
    ------
    ConfigError
        If it is missing, of another kind, or damaged.
    """
    if not path.is_file():
        raise ConfigError(f"{path}: {'is a folder, not a file' if path.is_dir() else 'no such file'}")
    match path.suffix.lower():
        case ".pfidb":
            return Definition(path, read_pfidb(path))
        case ".yaml" | ".yml":
            return _from_yaml(path)
        case _:
            raise ConfigError(
                f"{path}: a run definition ends in .pfidb or .yaml; a script (.py, .tcl) writes one when it runs "
                "(pftools: run.write(file_format='yaml'))"
            )


def _from_yaml(path: Path) -> Definition:
    document = read_yaml(path, as_text=True)
    if not isinstance(document.data, Mapping):
        raise ConfigError(f"{path}: not a run definition: expected keys and values at the top")
    values: dict[str, Value] = {}
    lines: dict[str, int] = {}
    for at, value in _leaves(document.data, ()):
        # `_value_` is the value of a key that has others below it; numbers have an underscore in Python scripts
        parts = [part for key in at for part in str(key).split(".") if part != "_value_"]
        key = ".".join(p[1:] if p[:1] == "_" and p[1:].isdigit() else p for p in parts)
        if value is None:  # not set, as for ParFlow's tools
            continue
        if key in values:
            raise document.error(at, f"{key} is there twice, first in line {lines.get(key)}")
        if isinstance(value, list):
            value = " ".join(map(str, value))
        values[key] = value
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
