"""One writer at a time in a folder, whatever ends the others."""

import json
import multiprocessing
import os
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from lock_contenders import contend

from bmi_common import ConfigError
from bmi_common.folder_lock import LOCK, FolderIsBusyError, Owner, locked, require_at_rest

pytestmark = pytest.mark.skipif(os.name != "posix", reason="owners are recognised on POSIX systems only")
CONTENDERS = 6


def put(folder: Path, **changes: object) -> Owner:
    """Leave a lock as an owner with other properties than this process would have."""
    owner = replace(Owner.of_this_process("run"), token="another", **changes)  # type: ignore[arg-type]
    (folder / LOCK).write_text(json.dumps(asdict(owner)))
    return owner


@pytest.fixture
def dead() -> int:
    """Give the number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_the_lock_is_there_meanwhile_and_gone_afterwards(tmp_path: Path) -> None:
    with locked(tmp_path, "run"):
        assert json.loads((tmp_path / LOCK).read_text())["process"] == os.getpid()
        with pytest.raises(FolderIsBusyError, match=rf"run is under way there, process {os.getpid()} on "):
            locked(tmp_path, "run").__enter__()
        require_at_rest(tmp_path)  # who writes may also read
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("left", ["nothing", "a dead owner's", "and one that died while it took it over"])
def test_of_several_that_start_in_the_same_moment_exactly_one_wins(tmp_path: Path, left: str, dead: int) -> None:
    context = multiprocessing.get_context("spawn")
    if left != "nothing":
        owner = put(tmp_path, process=dead)
        if left.startswith("and"):
            right = replace(owner, token="yet another")
            (tmp_path / f"{LOCK}.{owner.token}").write_text(json.dumps(asdict(right)))
    start, end, won = context.Barrier(CONTENDERS), context.Barrier(CONTENDERS), context.Queue()
    processes = [context.Process(target=contend, args=(tmp_path, start, end, won)) for _ in range(CONTENDERS)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert won.get(timeout=60) in [p.pid for p in processes]
    assert won.empty()
    assert not list(tmp_path.iterdir())


def test_a_lock_of_a_killed_process_is_taken_over(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys, pathlib\n"
        "from bmi_common.folder_lock import locked\n"
        "lock = locked(pathlib.Path(sys.argv[1]), 'run')\n"
        "lock.__enter__()\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # dead, but nobody has asked how it ended
    assert (tmp_path / LOCK).exists()
    require_at_rest(tmp_path)
    with locked(tmp_path, "run"):
        assert json.loads((tmp_path / LOCK).read_text())["process"] == os.getpid()
    process.wait()


def test_a_number_that_another_process_has_now_is_no_owner(tmp_path: Path) -> None:
    put(tmp_path, process=os.getppid(), began="1")
    with locked(tmp_path, "run"):
        pass


def test_a_machine_that_was_started_anew_has_no_old_processes(tmp_path: Path) -> None:
    put(tmp_path, process=os.getppid(), boot="of yesterday")
    with locked(tmp_path, "run"):
        pass


@pytest.mark.parametrize("changes", [{"host": "far"}, {"machine": "of the same name"}, {"processes": "a container's"}])
def test_an_owner_elsewhere_is_respected_and_the_message_says_how_to_remove_its_lock(
    tmp_path: Path, dead: int, changes: dict[str, str]
) -> None:
    put(tmp_path, process=dead, **changes)
    for use in (lambda: locked(tmp_path, "run").__enter__(), lambda: require_at_rest(tmp_path)):
        with pytest.raises(FolderIsBusyError, match=rf"which cannot be seen from here, remove {tmp_path / LOCK}$"):
            use()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"process": 1}', '{"process": "x"}'])
def test_what_is_no_lock_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / LOCK).write_text(content)
    with pytest.raises(ConfigError, match=r"a lock that cannot be read .* remove it"):
        locked(tmp_path, "run").__enter__()


def test_file_systems_without_hard_links_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    with locked(tmp_path, "run"), pytest.raises(FolderIsBusyError):
        locked(tmp_path, "run").__enter__()
    assert not list(tmp_path.iterdir())


def test_a_lock_that_somebody_else_has_by_now_is_not_given_away(tmp_path: Path) -> None:
    with locked(tmp_path, "run"):
        put(tmp_path, process=os.getppid())
    assert (tmp_path / LOCK).exists()
