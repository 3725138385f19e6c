"""Errors that reach the user as one message, without a traceback."""

from __future__ import annotations


class RootzoneError(Exception):
    """Base of every error that a user can act on."""


class ConfigError(RootzoneError, ValueError):
    """A mistake in the input, found before anything is computed or overwritten."""


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


def describe_cell(cell: tuple[int, ...]) -> str:
    """Name a cell as ``cell (k=.., j=.., i=..)``, with as many indices as it has."""
    names = ("k", "j", "i")[-len(cell) :]
    return "cell (" + ", ".join(f"{n}={int(v)}" for n, v in zip(names, cell, strict=True)) + ")"
