"""The notebooks run as they stand, and what they show is what comes out."""

import json
import re
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed")
pytest.importorskip("nbclient", reason="nbclient is not installed")
pytest.importorskip("ipykernel", reason="ipykernel is not installed")

import notebooks  # noqa: E402

NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?")
every_notebook = pytest.mark.parametrize("path", sorted(notebooks.NOTEBOOKS.glob("*.ipynb")), ids=lambda p: p.stem)


def texts(notebook: dict) -> list[str]:
    """Texts that come out of Python; those of other commands depend on what is installed."""
    return [
        "".join(output.get("text") or output["data"]["text/plain"])
        for cell in notebook["cells"]
        if cell["cell_type"] == "code" and not "".join(cell["source"]).startswith("!")
        for output in cell["outputs"]
    ]


@pytest.mark.slow
@every_notebook
def test_a_notebook_gives_what_it_shows(path: Path, tmp_path: Path) -> None:
    kept, found = texts(json.loads(path.read_text(encoding="utf-8"))), texts(notebooks.executed(path, tmp_path))
    advice = f"python tools/notebooks.py {path.name}"
    assert [NUMBER.sub("#", text) for text in found] == [NUMBER.sub("#", text) for text in kept], advice
    numbers = [[float(n) for text in of for n in NUMBER.findall(text)] for of in (found, kept)]
    # few digits are printed; errors of a surrogate, which are small, differ a little between processors
    assert numbers[0] == pytest.approx(numbers[1], rel=0.05, abs=1e-9), advice


@every_notebook
def test_a_notebook_is_small_and_its_cells_have_been_run(path: Path) -> None:
    assert path.stat().st_size < 300_000
    cells = [c for c in json.loads(path.read_text(encoding="utf-8"))["cells"] if c["cell_type"] == "code"]
    assert [c["execution_count"] for c in cells] == list(range(1, len(cells) + 1))
    assert not any(o["output_type"] == "error" for c in cells for o in c["outputs"])


STOPPED = """
import os, pathlib, rootzone, signal, threading, time


def press():
    while not pathlib.Path("run/hourly.nc").exists():
        time.sleep(0.1)
    time.sleep(2.0)
    os.kill(os.getpid(), signal.SIGINT)  # what the button sends


threading.Thread(target=press).start()
try:
    rootzone.run("{run}", "run", quiet=True, figures=False)
except rootzone.RunInterrupted as stopped:
    print(stopped)
"""
CONTINUED = """
result = rootzone.RunResult("run")
done = result.hourly.sizes["time"]
end = str(result.hourly.time.values[-1].astype("datetime64[s]") + 3600)
result = rootzone.restart(result, quiet=True, **{{"time.end": end}})
print(result.hourly.sizes["time"] - done, 0 < done < 240)
"""


@pytest.mark.slow
def test_the_stop_button_ends_a_run_after_its_step_and_it_can_go_on(tmp_path: Path) -> None:
    run = notebooks.ROOT / "cfg" / "coupled-richards.yaml"
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [nbformat.v4.new_code_cell(text.format(run=str(run))) for text in (STOPPED, CONTINUED)]
    path = tmp_path / "stopped.ipynb"
    nbformat.write(notebook, path)
    first, second = (cell["outputs"][0]["text"] for cell in notebooks.executed(path, tmp_path)["cells"])
    assert "interrupted" in first
    assert second == "1 True\n"
