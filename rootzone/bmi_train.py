"""Command line: ``bmi-train``."""

from __future__ import annotations

import os
from pathlib import Path

import click

from rootzone.command_line import EXIT_BAD_INPUT, Command, examples, fail, quiet_option
from rootzone.path_option import PATH


class _OfTorchrun(Command):
    """A command whose work processes share that torchrun has started."""

    def is_shared(self) -> bool:
        return "RANK" in os.environ


_EXAMPLES = examples("bmi-train train.yaml --check", "bmi-train train.yaml")


@click.command("bmi-train", cls=_OfTorchrun, epilog=_EXAMPLES)
@click.argument("file", type=PATH, metavar="TRAIN.YAML")
@click.option("--check", is_flag=True, help="Read and check the configuration, prepare the data, and stop.")
@quiet_option
@click.version_option(package_name="rootzone")
def main(file: Path, check: bool, quiet: bool) -> None:
    """Train a surrogate of groundwater as TRAIN.YAML says: prepare, fit, validate, keep the best weights.

    The same command goes on where an earlier one was interrupted. Several GPUs: torchrun -m rootzone.bmi_train
    TRAIN.YAML.

    Exit codes: 0 done, 1 failed while training, 2 bad input (nothing was trained), 130 interrupted (the state is
    saved).
    """
    try:
        from bmi_surrogate.training.command import run  # imports slowly
    except ImportError as error:
        fail("bmi-train", str(error), EXIT_BAD_INPUT)
    run(file, check, quiet)


if __name__ == "__main__":
    main()
