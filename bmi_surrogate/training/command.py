"""What ``bmi-train`` does; its options are in ``rootzone.bmi_train``, which imports nothing heavy."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bmi_common import terminal
from bmi_common.config import require_name
from bmi_common.errors import ConfigError, RootzoneError
from bmi_common.interrupts import deferred_interrupts, interrupts_kept
from bmi_common.progress import Progress
from bmi_surrogate.compute import using_threads
from bmi_surrogate.training.config import load
from bmi_surrogate.training.distributed import processes
from bmi_surrogate.training.train import Trained, prepare_material, train
from bmi_surrogate.training.trainer import Material

log = logging.getLogger("rootzone")

EXIT_FAILED = 1
EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130


def run(file: Path, check: bool, quiet: bool = False) -> None:
    """Train as a file says, or only `check` that it can be done; report on the console unless `quiet`.

    Raises
    ------
    SystemExit
        With the exit code of the command, unless training has ended.
    """
    first = os.environ.get("RANK", "0") == "0"
    console = terminal.console(stderr=True, quiet=quiet or not first)
    logging.basicConfig(
        level=logging.INFO if first and not quiet else logging.ERROR, format="%(message)s", stream=sys.stderr
    )
    try:
        require_name(file)
        if check:
            check_training(file, console)
            return
        found = train_from(file, console)
    except ConfigError as error:
        _fail(error, EXIT_BAD_INPUT)
    except (RootzoneError, OSError) as error:
        _fail(error, EXIT_FAILED)
    except MemoryError as error:
        _fail(RootzoneError(f"{file}: domain, batch or network do not fit into memory: {error}"), EXIT_FAILED)
    except KeyboardInterrupt:
        log.info("bmi-train: interrupted")
        sys.exit(EXIT_INTERRUPTED)
    if not found.finished:
        log.info("interrupted; the state is saved: the same command goes on from it")
        sys.exit(EXIT_INTERRUPTED)
    if first:
        _report(found, console)


@interrupts_kept()
def train_from(file: Path, console: Console) -> Trained:
    """Train as a file says, with progress on the console; an interrupt ends it early with its state saved.

    Raises
    ------
    ConfigError
        For bad input; nothing was trained.
    """
    with _material(file, console) as material, deferred_interrupts("stopping after this iteration") as interrupted:
        return train(material, Progress(console, "train"), interrupted, file)


@interrupts_kept()
def check_training(file: Path, console: Console) -> None:
    """Prepare all that a training needs, and log its size; raises as `train_from` does."""
    with _material(file, console) as material:
        parameters = sum(p.numel() for p in material.module().parameters())
        log.info("%s: can be trained (%d parameters, %d iterations)", file, parameters, material.config.iterations)


@contextmanager
def _material(file: Path, console: Console) -> Iterator[Material]:
    config = load(file)
    with processes(config.device) as here, using_threads(config.threads):
        yield prepare_material(config, here, Progress(console, "prepare"))


def _report(found: Trained, console: Console) -> None:
    table = Table(title=f"best weights: {found.weights}")
    for heading in ("seed", "iteration", f"{found.score_name.replace('_', ' ')} error [m]", "minutes"):
        table.add_column(heading, justify="right")
    for outcome in found.outcomes:
        best = outcome.best
        table.add_row(
            str(outcome.seed),
            "–" if best is None else str(best.iteration),
            "–" if best is None else f"{best.score:.4g}",
            f"{outcome.seconds / 60.0:.1f}",
        )
    table.add_row("persistence", "", f"{found.persistence:.4g}", "")
    console.print(table)


def _fail(error: Exception, code: int) -> None:
    print(f"bmi-train: {error}", file=sys.stderr)
    sys.exit(code)
