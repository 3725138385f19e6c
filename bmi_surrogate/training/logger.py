"""What a training reports: a CSV file of losses and validations, and figures of them, of one seed and of all."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from bmi_common import ConfigError

FIELDS = (
    "iteration",
    "seconds",
    "loss",
    "rate",
    "gradient",
    "hours",
    "water_table",
    "water_table_median",
    "water_table_high",
    "head",
)
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
"""Okabe and Ito (2008): told apart by colour-blind eyes."""


class CsvLogger:
    """Rows of a CSV file; empty where a value was not taken.

    Parameters
    ----------
    path : Path
        The file.
    iteration : int
        Rows after this one are of a course that was not saved, and are dropped; -1 for all.

    Raises
    ------
    ConfigError
        If the file is not a training log.
    """

    def __init__(self, path: Path, iteration: int) -> None:
        self.path = path
        self.rows = [row for row in _read(path) if int(row["iteration"]) <= iteration]
        partial = path.with_name(f".{path.name}.partial")
        with partial.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, FIELDS)
            writer.writeheader()
            writer.writerows(self.rows)
        partial.replace(path)

    def add(self, **values: float | int) -> None:
        """Append a row."""
        row = {name: _text(values.get(name)) for name in FIELDS}
        self.rows.append(row)
        with self.path.open("a", newline="", encoding="utf-8") as file:
            csv.DictWriter(file, FIELDS).writerow(row)

    def least(self, name: str) -> tuple[float, int] | None:
        """Least value of a column after the first iteration, and in which row's iteration; None without any."""
        found = [(float(r[name]), int(r["iteration"])) for r in self.rows if r[name] and int(r["iteration"]) > 0]
        return min(found, default=None)

    def draw(self, path: Path, reference: float | None) -> None:
        """Draw loss and water table error over the iterations; `reference` is persistence's error [m]."""
        _draw({"": self.rows}, path, reference)


def draw_seeds(logs: Mapping[str, Path], path: Path, reference: float | None) -> None:
    """Draw the courses of several trainings, of their logs by name, into one figure.

    Parameters
    ----------
    logs : mapping
        Files that `CsvLogger` has written.
    path : Path
        The figure.
    reference : float, optional
        Error of persistence [m].

    Raises
    ------
    ConfigError
        If a file is not a training log.
    """
    _draw({name: _read(file) for name, file in logs.items()}, path, reference)


def _draw(courses: Mapping[str, list[dict[str, str]]], path: Path, reference: float | None) -> None:
    figure = Figure(figsize=(8.0, 6.0), layout="constrained")
    axes = figure.subplots(2, 1, sharex=True)
    for axis, name, label in zip(
        axes, ("loss", "water_table"), ("loss", "mean absolute error of\nthe water table [m]"), strict=True
    ):
        for number, (title, rows) in enumerate(courses.items()):
            points = [(int(r["iteration"]), float(r[name])) for r in rows if r[name]]
            if points:
                x, y = np.array(points).T
                marker = "o" if name == "water_table" else ""
                axis.plot(x, y, color=_COLOURS[number % len(_COLOURS)], marker=marker, markersize=3, label=title)
        axis.set_ylabel(label)
        axis.set_yscale("log")
        axis.grid(alpha=0.3)
    if reference:
        axes[1].axhline(reference, color="0.5", linestyle="--", label="persistence")
    handles, labels = axes[1].get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside upper right", ncols=6, frameon=False)
    axes[1].set_xlabel("iteration")
    partial = path.with_name(f".{path.name}.partial")
    figure.savefig(partial, dpi=120, format="png")
    partial.replace(path)


def _text(value: float | int | None) -> str:
    if value is None:
        return ""
    return str(value) if isinstance(value, int) else f"{value:.6g}"


def _read(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        return []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            if tuple(reader.fieldnames or ()) != FIELDS:
                raise ValueError("it has other columns")
            rows = [row for row in reader if all(value is not None for value in row.values())]
            for row in rows:
                int(row["iteration"])
            return rows
    except ValueError as error:
        raise ConfigError(
            f"{path}: is not a training log of this version ({error}); remove the folder to train from scratch"
        ) from None
