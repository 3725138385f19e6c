"""Command line: ``bmi-run``. Imports nothing that takes long, so that ``--help`` is quick."""

from __future__ import annotations

from pathlib import Path

import click

from coupler.warning_log import keeping_warnings
from rootzone.command_line import Command, examples, output_option, quiet_option, verbose_option
from rootzone.path_option import PATH

_VERBS = {"check": "--check", "restart": "--restart", "import-parflow": "--from-parflow"}


class _WithVerbs(Command):
    """A command whose first word may be a verb, which stands for the option of the same meaning."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] in _VERBS:
            args = [_VERBS[args[0]], *args[1:]]
        return super().parse_args(ctx, args)

    def is_shared(self) -> bool:
        return True


_EXAMPLES = examples(
    "bmi-run coupled.yaml --check",
    "bmi-run coupled.yaml -o my-run --set time.end=2019-10-03 --set checkpoint.every=5d",
    "bmi-run --restart my-run --set time.end=2019-10-15",
    "bmi-run --from-parflow run.pfidb -o imported --period 48h",
)


@click.command("bmi-run", cls=_WithVerbs, epilog=_EXAMPLES)
@click.argument("file", type=PATH, metavar="COUPLED.YAML", required=False)
@click.option("--check", is_flag=True, help="Resolve everything and print the exchange plan without running.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Replace a value of the file; repeatable.")
@output_option("Run folder [default: `folder` of the file, else output/<name>].")
@click.option("--overwrite", is_flag=True, help="Replace the run that the folder holds.")
@click.option(
    "--restart",
    type=PATH,
    metavar="DIR",
    help="Go on with the run in this folder from its newest checkpoint, or from this checkpoint, in the same folder.",
)
@click.option(
    "--from-parflow",
    "definition",
    type=PATH,
    metavar="FILE",
    help="Make a run of this ParFlow run definition (.pfidb, .yaml) in the folder of --output.",
)
@click.option(
    "--ignore",
    multiple=True,
    metavar="KEY",
    help="With --from-parflow: leave out what this key means; repeatable.",
)
@click.option(
    "--period",
    metavar="LENGTH",
    help="With --from-parflow: length of the run, such as 48h or 30d, in the place of the definition's.",
)
@click.option(
    "--clm-vegetation",
    is_flag=True,
    help="With --from-parflow: take roots, heights, leaf areas and albedo of the vegetation from drv_vegp.dat.",
)
@quiet_option
@verbose_option("Print what else is in the run's log: checkpoints, and why a run stops.")
@click.version_option(package_name="rootzone")
@keeping_warnings
def main(
    file: Path | None,
    check: bool,
    settings: tuple[str, ...],
    output: Path | None,
    overwrite: bool,
    restart: Path | None,
    definition: Path | None,
    ignore: tuple[str, ...],
    period: str | None,
    clm_vegetation: bool,
    quiet: bool,
    verbose: bool,
) -> None:
    """Step the BMI components of COUPLED.YAML together.

    With --restart the file may be left out; the run's own record is taken then. With --from-parflow nothing is
    stepped: the run is made, to be looked at and started.

    The first word may be a verb: `bmi-run check COUPLED.YAML`, `bmi-run restart DIR`, `bmi-run import-parflow FILE`
    are the options --check, --restart and --from-parflow.

    An interrupt (Ctrl-C) or a termination ends a run after the step under way, with a checkpoint to go on from.

    Exit codes: 0 done, 1 failed while running, 2 bad input (nothing was computed or overwritten), 130 interrupted.
    """
    from rootzone.command import ImportOptions, execute

    options = ImportOptions(ignore, period, clm_vegetation)
    execute(file, check, settings, output, overwrite, restart, definition, options, quiet, verbose)
