"""Errors that reach the user as one message, without a traceback."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any


class RootzoneError(Exception):
    """Base of every error that a user can act on."""


class ConfigError(RootzoneError, ValueError):
    """A mistake in the input, found before anything is computed or overwritten.

    Printed as ``component: file:line: key: message``, as far as these are known.

    Parameters
    ----------
    message : str
        What is wrong.
    key : str
        The key, dotted, as it stands in its file.
    file : Path or str, optional
        The file that the key stands in, or where else its value comes from, such as ``--set time.end=2020``.
    line : int, optional
        Line of the file.
    component : str
        Name of the component that reports the mistake.
    of_period : bool
        Whether data do not cover the period of a run, so that another end of it would help.
    """

    def __init__(
        self,
        message: str,
        *,
        key: str = "",
        file: Path | str | None = None,
        line: int | None = None,
        component: str = "",
        of_period: bool = False,
    ) -> None:
        place = f"{file}:{line}" if line else str(file or "")
        super().__init__(": ".join(part for part in (component, place, key, message) if part))
        self.message = message
        self.key = key
        self.file = file
        self.line = line
        self.component = component
        self.of_period = of_period

    @property
    def mistakes(self) -> tuple[ConfigError, ...]:
        """Each mistake by itself."""
        return (self,)

    def data(self) -> dict[str, Any]:
        """Return what a single mistake is made of; ``ConfigError(**error.data())`` is the same mistake again."""
        return {name: getattr(self, name) for name in _PARTS}

    def changed(self, **parts: Any) -> ConfigError:
        """Return the error with other `parts` (those of `data`) in every mistake."""
        return together(ConfigError(**{**m.data(), **parts}) for m in self.mistakes)

    def under(self, key: str = "", file: Path | None = None) -> ConfigError:
        """Return the error as one of a section and file; a mistake of another file names that in its message."""

        def placed(m: ConfigError) -> ConfigError:
            if m.file is not None or m.component:
                return ConfigError(str(m), key=key, file=file, of_period=m.of_period)
            return m.changed(key=".".join(part for part in (key, m.key) if part), file=file)

        return together(map(placed, self.mistakes))


_PARTS = ("message", "key", "file", "line", "component", "of_period")


class ConfigErrors(ConfigError):  # noqa: N818  # several of them
    """Several mistakes, a line each."""

    def __init__(self, mistakes: Iterable[ConfigError]) -> None:
        self._mistakes = tuple(mistakes)
        super().__init__("\n".join(map(str, self._mistakes)))

    @property
    def mistakes(self) -> tuple[ConfigError, ...]:
        """Each mistake by itself."""
        return self._mistakes


@contextmanager
def errors_under(key: str = "", file: Path | None = None) -> Iterator[None]:
    """Let every `ConfigError` of the block name the key and the file, as `ConfigError.under`."""
    try:
        yield
    except ConfigError as error:
        raise error.under(key, file) from error


class Mistakes:
    """Collects mistakes that do not hide each other, so that a user meets them together."""

    def __init__(self) -> None:
        self._found: list[ConfigError] = []

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Keep a `ConfigError` of the block for `require_none`."""
        try:
            yield
        except ConfigError as error:
            self.note(error)

    def note(self, error: ConfigError) -> None:
        """Keep an error for `require_none`."""
        self._found.extend(error.mistakes)

    @property
    def found(self) -> list[ConfigError]:
        """What has been noted, by line where a file has lines."""
        return sorted(self._found, key=lambda mistake: mistake.line or 0)

    def require_none(self) -> None:
        """Raise what has been found, if anything."""
        if self._found:
            raise together(self._found)


def together(mistakes: Iterable[ConfigError]) -> ConfigError:
    """Return one error for all of `mistakes`, those that say the same once."""
    unique = list({str(m): m for m in mistakes}.values())
    return unique[0] if len(unique) == 1 else ConfigErrors(unique)


class InputNotice(UserWarning):
    """What was made of an input that could be read in other ways, too."""


@contextmanager
def each_warning_once() -> Iterator[None]:
    """Let what the block warns of several times, such as for all variables of a file, be warned of once."""
    kept: list[warnings.WarningMessage] = []
    try:
        with warnings.catch_warnings(record=True) as kept:
            warnings.simplefilter("always")
            yield
    finally:
        for w in {(w.category, str(w.message)): w for w in kept}.values():
            warnings.warn_explicit(w.message, w.category, w.filename, w.lineno)


class BmiStateError(RootzoneError, RuntimeError):
    """A BMI function called when the component cannot answer it."""


class UnknownNameError(RootzoneError, KeyError):
    """A variable or grid that the component does not have."""

    def __str__(self) -> str:
        return str(self.args[0])  # KeyError would show the repr


class ModelError(RootzoneError, RuntimeError):
    """A failure while running.

    Parameters
    ----------
    message : str
        What failed and with which value.
    cell : tuple of int, optional
        Zero-based (k, j, i) or (j, i) of the cell; k counts from the bottom, j from the south, i from the west.
    """

    def __init__(self, message: str, cell: tuple[int, ...] | None = None) -> None:
        super().__init__(message if cell is None else f"{message}, at {describe_cell(cell)}")
        self.cell = cell


def describe_range(low: float, high: float, units: str = "1") -> str:
    """Write limits as ``between 0 and 15 m2 m-2``, with as many digits as they have."""
    return f"between {low:.10g} and {high:.10g}{'' if units == '1' else f' {units}'}"


def out_of_range(value: float, low: float, high: float, units: str = "1") -> str:
    """Write ``must lie between 0 and 15 m, got 20``; a value that rounding would put inside is written in full."""
    text = f"{value:g}"
    if low <= float(text) <= high:
        text = repr(float(value))
    return f"must lie {describe_range(low, high, units)}, got {text}"


_origin: ContextVar[tuple[int, int]] = ContextVar("origin", default=(0, 0))


def count_cells_from(row: int, column: int) -> None:
    """Let messages count cells from the corner of the whole domain; this process has a window that begins there."""
    _origin.set((row, column))


def describe_cell(cell: tuple[int, ...]) -> str:
    """Name a cell as ``cell (k=.., j=.., i=..)``, with as many indices as it has."""
    names = ("k", "j", "i")[-len(cell) :]
    if len(cell) > 1:
        row, column = _origin.get()
        cell = (*cell[:-2], cell[-2] + row, cell[-1] + column)
    return "cell (" + ", ".join(f"{n}={int(v)}" for n, v in zip(names, cell, strict=True)) + ")"
