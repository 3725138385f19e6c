"""Execute the notebooks in docs/notebooks and keep what comes out, so that they can be read without being run."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).parents[1]
NOTEBOOKS = ROOT / "docs" / "notebooks"
LONGEST = 900  # s a cell


def executed(path: Path, folder: Path) -> nbformat.NotebookNode:
    """Return a notebook as it is after its cells have been executed in a folder, one after the other.

    Raises
    ------
    nbclient.exceptions.CellExecutionError
        With the cell and its traceback.
    """
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook, timeout=LONGEST, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    )
    client.execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # times of the clock
    return notebook


def main() -> None:
    """Execute those that are named, by default all."""
    names = sys.argv[1:] or sorted(path.name for path in NOTEBOOKS.glob("*.ipynb"))
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            nbformat.write(executed(NOTEBOOKS / name, Path(folder)), NOTEBOOKS / name)
        print(f"{name}: {(NOTEBOOKS / name).stat().st_size / 1000.0:.0f} kB")


if __name__ == "__main__":
    main()
