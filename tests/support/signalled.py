"""``bmi-run`` in which a process gets a signal once there is a checkpoint: rank, signal, folder, and the arguments."""

import os
import sys
import threading
import time
from pathlib import Path


def main() -> None:
    """Run."""
    rank, number, folder, *arguments = sys.argv[1:]
    if os.environ["PMI_RANK"] == rank:
        threading.Thread(target=_signal, args=(int(number), Path(folder)), daemon=True).start()
    from rootzone.bmi_run import main as run

    run(arguments)


def _signal(number: int, folder: Path) -> None:
    while not list(folder.glob("checkpoints/*/checkpoint.json")):
        time.sleep(0.01)
    os.kill(os.getpid(), number)


if __name__ == "__main__":
    main()
