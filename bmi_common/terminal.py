"""What the commands write to, whatever the terminal can show."""

from __future__ import annotations

import io
import sys

from rich.console import Console


class Screen(Console):
    """A console, and whether its user wants to see all that happens."""

    verbose = False


def console(stderr: bool = False, quiet: bool = False, verbose: bool = False) -> Screen:
    """Return a console for plain messages; characters that its encoding lacks are written as escapes."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    # no markup and no emoji: a path or a message may hold brackets and colons
    screen = Screen(stderr=stderr, quiet=quiet, highlight=False, soft_wrap=True, markup=False, emoji=False)
    screen.verbose = verbose
    return screen
