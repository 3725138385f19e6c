"""Kill a run at random moments, restart it, and compare what it has written with an undisturbed run, bit by bit.

Every trial starts the run in a process of its own and kills it with SIGKILL at a random moment; the restart is killed
again with even odds, and so on until one is left alone. Every third trial has no kill but a quota instead: no file may
grow beyond a random size, as on a disk that is full. All NetCDF files, Zarr stores and the decisions of error control
must end as those of the undisturbed run.

    python benchmarks/restart_under_fire.py cfg/coupled.yaml --set checkpoint.every=12h --trials 50 --json fire.json

With ``--processes N`` the run is shared by N processes of ``mpiexec``, one of which is killed; the others must end
within a minute. There is no quota then.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from bmi_common.zarr_file import METADATA, SUFFIX, zarr_library
from coupler.config import DECISIONS_FILE
from coupler.disk_space import RESERVE

QUOTA_EVERY = 3
LIMIT_S = 600.0
GRACE_S = 60.0
"""Within which the other processes of a run must end when one has been killed."""


@dataclass
class Trial:
    """What happened in one trial.

    Attributes
    ----------
    blows : list of str
        ``killed after 1.2 s`` or ``quota of 12345 bytes``, each followed by what was left.
    outcome : str
        ``equal``, or what differs.
    """

    blows: list[str] = field(default_factory=list)
    outcome: str = ""


def command(processes: int, *arguments: str) -> list[str]:
    launcher = ["mpiexec", "-n", str(processes)] if processes > 1 else []
    return [*launcher, sys.executable, "-c", "from rootzone.bmi_run import main; main()", *arguments]


def run(
    arguments: list[str], processes: int = 1, kill_after: float | None = None, quota: int | None = None
) -> tuple[int, str]:
    """Run to the end, or kill it or one of its processes; the exit code and what it said."""

    def limit() -> None:
        if quota is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (quota, quota))
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # the write fails instead

    process = subprocess.Popen(
        command(processes, *arguments), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, preexec_fn=limit
    )
    try:
        said, _ = process.communicate(timeout=kill_after or LIMIT_S)
    except subprocess.TimeoutExpired:
        victims = ranks_of(process.pid) if processes > 1 else []
        if victims:
            os.kill(random.choice(victims), signal.SIGKILL)
        else:
            process.kill()
        said, _ = process.communicate(timeout=GRACE_S)
    return process.returncode, said


def ranks_of(launcher: int) -> list[int]:
    """Find the processes that the launcher has started and that run Python."""
    parents = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(entry.name)] = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
        except OSError:
            continue  # it has ended meanwhile
    family = {launcher}
    while len(family) < len(family := family | {pid for pid, parent in parents.items() if parent in family}):
        pass
    return [pid for pid in family if Path(f"/proc/{pid}/exe").resolve() == Path(sys.executable).resolve()]


def same(one: NDArray[Any], other: NDArray[Any]) -> bool:
    """Whether two arrays are equal bit for bit; of texts, such as names of gauges, the bytes are addresses only."""
    if one.dtype == object or other.dtype == object:
        return one.tolist() == other.tolist()
    return one.shape == other.shape and one.tobytes() == other.tobytes()


def differences(one: Path, other: Path) -> list[str]:
    """Names of what differs between two run folders."""
    found = []
    names = sorted({p.name for folder in (one, other) for ending in (".nc", SUFFIX) for p in folder.glob(f"*{ending}")})
    for name in names:
        if not ((one / name).exists() and (other / name).exists()):
            found.append(f"{name} is missing")
            continue
        read = stored if name.endswith(SUFFIX) else variables
        a, b = read(one / name), read(other / name)
        if a.keys() != b.keys():
            found.append(f"{name} has other variables")
            continue
        found += [f"{name}: {variable}" for variable in a if not same(a[variable], b[variable])]
    decisions = [f / DECISIONS_FILE for f in (one, other)]
    if [p.is_file() for p in decisions] == [True, True] and decisions[0].read_text() != decisions[1].read_text():
        found.append(DECISIONS_FILE)
    return found


def variables(file: Path) -> dict[str, NDArray[Any]]:
    """All values of a NetCDF file as they are stored."""
    with netCDF4.Dataset(file) as data:
        data.set_auto_maskandscale(False)
        return {name: np.array(variable[...]) for name, variable in data.variables.items()}


def stored(store: Path) -> dict[str, NDArray[Any]]:
    """All values of a Zarr store, by its own description and by those of its arrays; and the bytes of its chunks."""
    groups = {
        kind: zarr_library().open_group(str(store), mode="r", use_consolidated=listed)
        for kind, listed in (("listed", True), ("there", False))
    }
    found = {
        f"{name} ({kind})": np.asarray(array[...]) for kind, group in groups.items() for name, array in group.arrays()
    }
    chunks = (p for p in sorted(store.rglob("*")) if p.is_file() and p.name != METADATA)
    return found | {p.relative_to(store).as_posix(): np.frombuffer(p.read_bytes(), np.uint8) for p in chunks}


def has_checkpoint(folder: Path) -> bool:
    return any((folder / "checkpoints").glob("*/checkpoint.json"))


def trial(
    run_file: Path,
    settings: list[str],
    folder: Path,
    reference: Path,
    seconds: float,
    by_quota: bool,
    processes: int,
) -> Trial:
    """Disturb a run until it is left alone."""
    result = Trial()
    start = [str(run_file), *settings, "--output", str(folder), "--overwrite"]
    arguments = start
    largest = max(p.stat().st_size for p in reference.rglob("*") if p.is_file())
    disturbed = True
    while disturbed:
        if by_quota:
            quota = RESERVE + random.randint(largest // 20, largest)
            code, said = run(arguments, processes, quota=quota)
            blow = f"quota of {quota} bytes"
            if code not in (0, 1, 2) or "Traceback" in said:
                result.outcome = f"exit code {code} under a quota: {said.strip().splitlines()[-1]}"
                return result
        else:
            moment = random.uniform(0.2, 1.05) * seconds
            try:
                code, _ = run(arguments, processes, kill_after=moment)
            except subprocess.TimeoutExpired:
                result.outcome = f"killed after {moment:.1f} s: the other processes hang"
                return result
            blow = f"killed after {moment:.1f} s"
        if code == 0:
            result.blows.append(f"{blow}: it had ended")
            break
        whole = has_checkpoint(folder)
        result.blows.append(f"{blow}: {'restarted' if whole else 'begun anew'}")
        arguments = ["--restart", str(folder)] if whole else start
        disturbed = random.random() < 0.5
    else:
        code, said = run(arguments, processes)
        # the last blow may have come when all was written but the report of times
        if code != 0 and "nothing is left to do" not in said:
            result.outcome = f"the restart failed: {said.strip().splitlines()[-1]}"
            return result
    result.outcome = "; ".join(differences(folder, reference)) or "equal"
    return result


def fire(
    run_file: Path,
    settings: list[str],
    trials: int,
    seed: int,
    work: Path,
    tell: Callable[[str], None],
    processes: int = 1,
) -> list[Trial]:
    """Carry out all trials."""
    random.seed(seed)
    reference = work / "undisturbed"
    begin = time.perf_counter()
    code, said = run([str(run_file), *settings, "--output", str(reference)], processes)
    if code != 0:
        raise SystemExit(f"the undisturbed run fails: {said}")
    seconds = time.perf_counter() - begin
    tell(f"undisturbed: {seconds:.1f} s")
    results = []
    for i in range(trials):
        folder = work / f"run_{i}"
        by_quota = processes == 1 and i % QUOTA_EVERY == QUOTA_EVERY - 1  # MPI itself fails under a quota
        done = trial(run_file, settings, folder, reference, seconds, by_quota, processes)
        shutil.rmtree(folder, ignore_errors=True)
        results.append(done)
        tell(f"{i + 1}: {'; '.join(done.blows)}: {done.outcome}")
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="the run (.yaml), with checkpoints")
    parser.add_argument("--set", dest="settings", action="append", default=[], help="as for bmi-run")
    parser.add_argument("--trials", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=1, help="that share the run")
    parser.add_argument("--json", type=Path, help="write the trials here too")
    arguments = parser.parse_args()
    console = Console(highlight=False)
    settings = [f"--set={s}" for s in arguments.settings]
    with tempfile.TemporaryDirectory() as work:
        results = fire(
            arguments.run,
            settings,
            arguments.trials,
            arguments.seed,
            Path(work),
            console.print,
            arguments.processes,
        )
    outcomes = Counter("equal" if r.outcome == "equal" else "not equal" for r in results)
    blows = Counter(b.split(":")[1].strip() for r in results for b in r.blows)
    console.print(f"{outcomes['equal']} of {len(results)} trials ended equal; blows: {dict(blows)}")
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(r) for r in results], indent=1), encoding="utf-8")
    sys.exit(outcomes["equal"] != len(results))


if __name__ == "__main__":
    main()
