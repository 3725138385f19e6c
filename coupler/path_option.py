"""Files and folders as arguments of commands."""

from __future__ import annotations

import os
from pathlib import Path

import click


class _PathOption(click.Path):
    """A path; an empty one, as a shell variable that is not set gives, would be the working directory."""

    def convert(
        self, value: str | os.PathLike[str], param: click.Parameter | None, ctx: click.Context | None
    ) -> str | bytes | os.PathLike[str]:
        if not os.fspath(value):
            self.fail("the name is empty; for the working directory write a dot", param, ctx)
        return super().convert(value, param, ctx)


PATH = _PathOption(path_type=Path)
