"""What is in a file that PyTorch will not read as plain tensors, found without running anything of it."""

from __future__ import annotations

import contextlib
import io
import pickletools
import re
import zipfile
from pathlib import Path
from typing import Final

_PLAIN: Final = re.compile(
    r"collections\.OrderedDict|torch\.\w*Storage|torch\.storage\.\w+|torch\._utils\._rebuild_\w+|torch\.\w*(int|float)\d+"
    r"|numpy\.dtype|_codecs\.encode"
)
"""Names that occur in files of plain tensors, and those that only belong to others."""
_TEXT: Final = ("UNICODE", "STRING")


def describe_archive(path: Path) -> str | None:
    """Say why a zip archive is not a checkpoint; None if it may be one, or if the archive is not whole."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.namelist()
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError):
        return None
    if not any(name.endswith("/data.pkl") for name in members):
        more = f" and {len(members) - 3} more" if len(members) > 3 else ""
        return f"a zip archive that is not a PyTorch checkpoint: it holds {', '.join(members[:3]) or 'nothing'}{more}"
    if any("/code/" in name for name in members):
        return "a TorchScript program, not the parameters of a network"
    return None


def foreign_names(path: Path) -> dict[str, str]:
    """Find classes and functions that a pickle calls for beside those of plain tensors, as far as it can be read.

    Returns for each name the last text before it, which in a mapping is the key.
    """
    found: dict[str, str] = {}
    for stream in _streams(path):
        words = [""]
        with contextlib.suppress(Exception):  # a damaged pickle ends anywhere
            while True:  # several in a row in PyTorch's former format
                for code, value, _ in pickletools.genops(stream):
                    if code.name == "GLOBAL":
                        found.setdefault(str(value).replace(" ", ".", 1), words[-1])
                    elif code.name == "STACK_GLOBAL":
                        found.setdefault(".".join(words[-2:]), words[-3] if len(words) > 2 else "")
                    elif any(kind in code.name for kind in _TEXT):
                        words.append(str(value))
    return {name: key for name, key in found.items() if not _PLAIN.fullmatch(name)}


def _streams(path: Path) -> list[io.BytesIO]:
    try:
        if not zipfile.is_zipfile(path):
            return [io.BytesIO(path.read_bytes())]
        with zipfile.ZipFile(path) as archive:
            return [io.BytesIO(archive.read(name)) for name in archive.namelist() if name.endswith("/data.pkl")]
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError, RuntimeError):
        return []
