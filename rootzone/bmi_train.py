"""Command line: ``bmi-train``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from coupler.path_option import PATH

EXIT_BAD_INPUT = 2


@click.command()
@click.argument("file", type=PATH, metavar="TRAIN.YAML")
@click.option("--check", is_flag=True, help="Read and check the configuration, prepare the data, and stop.")
@click.version_option(package_name="rootzone")
def main(file: Path, check: bool) -> None:
    """Train a surrogate of groundwater as TRAIN.YAML says: prepare, fit, validate, keep the best weights.

    The same command goes on where an earlier one was interrupted. Several GPUs: torchrun -m rootzone.bmi_train
    TRAIN.YAML.

    Exit codes: 0 done, 1 failed while training, 2 bad input (nothing was trained), 130 interrupted (the state is
    saved).
    """
    try:
        from bmi_surrogate.training.command import train  # imports slowly
    except ImportError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(EXIT_BAD_INPUT)
    train(file, check)


if __name__ == "__main__":
    main()
