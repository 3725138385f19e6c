"""A process that wants a lock, in a module that a new interpreter finds."""

from __future__ import annotations

import os
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path

from bmi_common.folder_lock import FolderIsBusyError, locked


def contend(folder: Path, start: Barrier, end: Barrier, won: Queue[int]) -> None:
    """Try to take a folder's lock when all are there, and keep it until all have tried; the winner says its number."""
    start.wait()
    try:
        with locked(folder, "run"):
            won.put(os.getpid())
            end.wait()
    except FolderIsBusyError:
        end.wait()
