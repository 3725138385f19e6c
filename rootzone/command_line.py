"""What all commands have alike: options, examples below the help, one style of messages."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NoReturn, TypeVar

import click

from rootzone.path_option import PATH

EXIT_BAD_INPUT, EXIT_INTERRUPTED = 2, 130
_INTERRUPTED = "interrupted"

F = TypeVar("F", bound=Callable[..., Any])


class Command(click.Command):
    """A command whose messages begin with its name, those of click about its options, too."""

    def main(self, *arguments: Any, **options: Any) -> Any:
        """Run the command; a mistake of the user in its options ends the process with one message."""
        # Threads that spin while they wait for each other keep cores of a busy machine from those they wait for. OpenMP
        # reads this when the first library that uses it is loaded.
        os.environ.setdefault("OMP_WAIT_POLICY", "passive")
        if not options.get("standalone_mode", True):
            return super().main(*arguments, **options)
        name = self.name or ""
        try:
            code = super().main(*arguments, **{**options, "standalone_mode": False})
        except click.ClickException as error:
            from bmi_common.world import is_first

            if not is_first():
                sys.exit(error.exit_code)
            context = getattr(error, "ctx", None)
            if context is not None:
                click.echo(f"{context.get_usage()}\nTry '{name} --help' for help.\n", err=True)
            fail(name, error.format_message(), error.exit_code)
        except click.Abort:
            from bmi_common.world import is_first

            if self.is_shared():
                _interrupt_others()
            if not is_first():
                sys.exit(EXIT_INTERRUPTED)
            fail(name, _INTERRUPTED, EXIT_INTERRUPTED)
        sys.exit(code if isinstance(code, int) else 0)

    def invoke(self, ctx: click.Context) -> Any:
        """Do the work, unless several processes would each do it, and write the same files.

        A termination ends it as an interrupt does, so that nothing half written stays behind; so does an interrupt that
        a library has dropped.
        """
        from bmi_common.interrupts import interrupts_kept, terminations_as_interrupts
        from bmi_common.world import is_first, launched

        if launched() > 1 and not self.is_shared():
            if not is_first():
                sys.exit(EXIT_BAD_INPUT)
            fail(
                self.name or "",
                f"a launcher has started {launched()} processes, and this is the work of one; start it without mpiexec "
                "or srun",
                EXIT_BAD_INPUT,
            )
        with terminations_as_interrupts(), interrupts_kept():
            return super().invoke(ctx)

    def is_shared(self) -> bool:
        """Whether processes that a launcher has started together share the work."""
        return False


def fail(name: str, message: str, code: int) -> NoReturn:
    """Print a message of a command in red, and end the process with a code."""
    click.echo(click.style(f"{name}: {message}", fg="red"), err=True)
    sys.exit(code)


def _interrupt_others() -> None:
    """Tell the other processes of a launcher, which wait for this one within MPI, that it was interrupted before that.

    So all end. A process that has joined the others tells them by itself.
    """
    from bmi_common.world import among, launched, of_launcher

    if launched() > 1 and "mpi4py.MPI" not in sys.modules:
        with suppress(Exception, KeyboardInterrupt), among(of_launcher(), lambda _: (_INTERRUPTED, EXIT_INTERRUPTED)):
            raise KeyboardInterrupt


def output_option(text: str) -> Callable[[F], F]:
    """Return ``-o``, ``--output``: the folder that a command writes."""
    return click.option("-o", "--output", type=PATH, metavar="DIR", help=text)


def quiet_option(function: F) -> F:
    """Add ``-q``, ``--quiet``."""
    return click.option("-q", "--quiet", is_flag=True, help="Print errors only.")(function)


def verbose_option(text: str) -> Callable[[F], F]:
    """Return ``-v``, ``--verbose``: more of what is under way."""
    return click.option("-v", "--verbose", is_flag=True, help=text)


def examples(*lines: str) -> str:
    """Return commands as the end of a help."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)
