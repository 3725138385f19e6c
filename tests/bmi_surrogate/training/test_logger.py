"""The log of a training and its figure; progress in words."""

import logging
import math
import re
import time
from pathlib import Path

import pytest
from rich.console import Console
from training_cases import train, write_config

from bmi_common import ConfigError
from bmi_common import progress as progress_module
from bmi_common.progress import Progress
from bmi_surrogate.training.logger import FIELDS, CsvLogger
from bmi_surrogate.training.trainer import FIGURE


def fill(path: Path, iterations: int) -> CsvLogger:
    logger = CsvLogger(path, -1)
    for i in range(iterations + 1):
        logger.add(iteration=i, seconds=0.5 * i, loss=1.0 / (i + 1), water_table=abs(i - 3) + 0.125)
    return logger


def iterations_in(path: Path) -> list[int]:
    return [int(line.split(",")[0]) for line in path.read_text().splitlines()[1:]]


def test_rows_of_a_course_that_was_not_saved_are_dropped(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    fill(path, 5)
    whole = path.read_text()
    logger = CsvLogger(path, 3)
    assert iterations_in(path) == [0, 1, 2, 3]
    for i in (4, 5):
        logger.add(iteration=i, seconds=0.5 * i, loss=1.0 / (i + 1), water_table=abs(i - 3) + 0.125)
    assert path.read_text() == whole
    CsvLogger(path, -1)
    assert path.read_text() == ",".join(FIELDS) + "\n"


def test_a_row_that_was_cut_off_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    fill(path, 5)
    text = path.read_text()
    path.write_text(text[: text.rindex("\n5,") + 4])
    logger = CsvLogger(path, 5)
    logger.add(iteration=5, seconds=9.0)
    assert iterations_in(path) == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", ",".join(FIELDS) + "\n" + ",".join("x" * len(FIELDS)) + "\n", "\0"])
def test_another_file_is_refused_and_left(tmp_path: Path, text: str) -> None:
    path = tmp_path / "log.csv"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"log\.csv: is not a training log of this version"):
        CsvLogger(path, 3)
    assert path.read_text() == text


def test_the_least_is_that_of_trained_weights(tmp_path: Path) -> None:
    logger = fill(tmp_path / "log.csv", 5)
    assert logger.least("water_table") == (0.125, 3)
    assert logger.least("head") is None
    logger.add(iteration=6, seconds=1.0, head=math.inf)
    assert logger.least("head") == (math.inf, 6)


@pytest.mark.slow
def test_a_training_leaves_a_figure(basin: Path) -> None:
    train(write_config(basin))
    folder = basin / "out" / "seed_0"
    assert (folder / FIGURE).read_bytes().startswith(b"\x89PNG")
    assert not list(folder.glob(".*")), "drafts are left"


def test_a_figure_of_no_rows_or_of_what_is_not_finite_is_possible(tmp_path: Path) -> None:
    logger = CsvLogger(tmp_path / "log.csv", -1)
    logger.draw(tmp_path / "a.png", None)
    logger.add(iteration=0, seconds=0.0, water_table=math.inf, head=math.inf)
    logger.draw(tmp_path / "b.png", 0.1)
    assert (tmp_path / "b.png").stat().st_size > 1000


# ------------------------------------------------------------------------------------------------ progress


def test_lines_say_how_long_the_rest_takes(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """A resumed training counts the time of its own iterations only: 600 in 100 s, so 3000 more in 500 s."""
    now = 1000.0
    monkeypatch.setattr(time, "perf_counter", lambda: now)
    caplog.set_level(logging.INFO, "rootzone")
    progress = Progress(Console(file=None, force_terminal=False), "seed 3")
    for step in range(101):
        progress(6400 + 6 * step, 10_000, "loss 0.1")
        now += 1.0
    assert [r.getMessage() for r in caplog.records] == [
        "seed 3: 6580 of 10000, loss 0.1, about 0:09:30 left",
        "seed 3: 6760 of 10000, loss 0.1, about 0:09:00 left",
        "seed 3: 6940 of 10000, loss 0.1, about 0:08:30 left",
    ]


def test_a_terminal_gets_a_bar(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "rootzone")
    with (tmp_path / "screen").open("w") as screen:
        progress = Progress(Console(file=screen, force_terminal=True, width=120), "seed 3")
        for done in range(1, 4):
            progress(done, 3, f"loss {done}")
        progress(1, 3)
        progress.finish()
    shown = (tmp_path / "screen").read_text()
    assert re.search(r"seed 3.*3/3.*loss 3", shown, re.DOTALL)
    assert not caplog.records
    assert progress._bar is None
    assert progress_module._LINE_EVERY == 30.0
