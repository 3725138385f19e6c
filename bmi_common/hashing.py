"""Hashes that identify the files a run was made of."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path


def sha256(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hashes(paths: Iterable[Path]) -> dict[str, str]:
    """SHA-256 of each file, by path."""
    return {str(path): sha256(path) for path in paths}
