"""Errors that reach the user as one message, without a traceback."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager


class RootzoneError(Exception):
    """Base of every error that a user can act on."""


class ConfigError(RootzoneError, ValueError):
    """A mistake in the input, found before anything is computed or overwritten.

    Parameters
    ----------
    message : str
        What is wrong, naming file and key.
    line : int, optional
        Line of the file.
    of_period : bool
        Whether data do not cover the period of a run, so that another end of it would help.
    """

    def __init__(self, message: str, line: int | None = None, of_period: bool = False) -> None:
        super().__init__(message)
        self.line = line
        self.of_period = of_period

    @property
    def mistakes(self) -> tuple[ConfigError, ...]:
        """Each mistake by itself."""
        return (self,)

    def retold(self, change: Callable[[str], str]) -> ConfigError:
        """Return the error with `change` applied to the message of every mistake."""
        return together([ConfigError(change(str(m)), m.line, m.of_period) for m in self.mistakes])


class ConfigErrors(ConfigError):  # noqa: N818  # several of them
    """Several mistakes, a line each."""

    def __init__(self, mistakes: Iterable[ConfigError]) -> None:
        self._mistakes = tuple(mistakes)
        super().__init__("\n".join(map(str, self._mistakes)))

    @property
    def mistakes(self) -> tuple[ConfigError, ...]:
        """Each mistake by itself."""
        return self._mistakes


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


def describe_cell(cell: tuple[int, ...]) -> str:
    """Name a cell as ``cell (k=.., j=.., i=..)``, with as many indices as it has."""
    names = ("k", "j", "i")[-len(cell) :]
    return "cell (" + ", ".join(f"{n}={int(v)}" for n, v in zip(names, cell, strict=True)) + ")"
