"""What a folder of this package holds of its own, and what of the user's."""

import json
import os
import signal
from pathlib import Path

import pytest
from dropped_interrupts import interruptible

from bmi_common import ConfigError
from bmi_common.owned_folder import RECORD, OwnedFolder, new_folder, read_record, taken


def fill(path: Path, *names: str) -> None:
    with taken(path, "run") as folder:
        write(folder, *names)


def write(folder: OwnedFolder, *names: str, text: str = "ours") -> None:
    folder.own(*names)
    for name in names:
        file = folder.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def below(path: Path) -> list[str]:
    return sorted(p.relative_to(path).as_posix() for p in path.rglob("*") if not p.is_dir() and p.name != RECORD)


def test_only_what_was_entered_is_removed_with_its_draft(tmp_path: Path) -> None:
    out = tmp_path / "out"
    fill(out, "a.nc", "figures/a.png", "config/a.yaml")
    for name in (".a.nc.partial", "figures/mine.png", "b.nc", ".b.nc.partial"):
        (out / name).write_text("")
    with taken(out, "run") as folder:
        assert folder.others() == [".b.nc.partial", "b.nc", "figures/mine.png"]
        folder.clear()
    assert below(out) == [".b.nc.partial", "b.nc", "figures/mine.png"]
    assert not (out / "config").exists()


def test_files_are_entered_before_they_are_written(tmp_path: Path) -> None:
    with taken(tmp_path, "run") as folder:
        folder.own("größe\udce4.nc", "figures/a.png")
        assert read_record(tmp_path) == ("run", ["größe\udce4.nc", "figures/a.png"])


@pytest.mark.parametrize("cut", [1, 3, 6])
def test_an_entry_that_a_kill_has_cut_off_counts_for_nothing(tmp_path: Path, cut: int) -> None:
    fill(tmp_path, "a.nc", "b.nc")
    record = tmp_path / RECORD
    record.write_bytes(record.read_bytes()[:-cut])
    assert read_record(tmp_path) == ("run", ["a.nc"])
    (tmp_path / "b.nc").unlink()
    fill(tmp_path, "c.nc")
    assert read_record(tmp_path) == ("run", ["a.nc", "c.nc"])


def test_what_was_removed_is_no_longer_ours(tmp_path: Path) -> None:
    fill(tmp_path, "a.nc", "checkpoints/1/a.nc")
    with taken(tmp_path, "run") as folder:
        folder.remove(["checkpoints/1/a.nc"])
    assert not (tmp_path / "checkpoints").exists()
    (tmp_path / "checkpoints" / "1").mkdir(parents=True)
    (tmp_path / "checkpoints" / "1" / "a.nc").write_text("mine")
    with taken(tmp_path, "run") as folder:
        folder.clear()
    assert below(tmp_path) == ["checkpoints/1/a.nc"]


def test_a_file_of_the_users_is_not_taken_for_ours(tmp_path: Path) -> None:
    fill(tmp_path, "a.nc")
    (tmp_path / "b.nc").write_text("mine")
    with taken(tmp_path, "run") as folder, pytest.raises(ConfigError, match=r"b\.nc would be replaced by the run, but"):
        folder.own("a.nc", "b.nc")
    assert read_record(tmp_path) == ("run", ["a.nc"])


@pytest.mark.parametrize("linked", ["a.nc", "figures", "folder itself"])
def test_nothing_is_removed_through_a_link(tmp_path: Path, linked: str) -> None:
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    fill(out, "a.nc", "figures/a.png")
    moved = out if linked == "folder itself" else out / linked
    moved.rename(elsewhere)
    moved.symlink_to(elsewhere)
    before = below(tmp_path)
    with pytest.raises(ConfigError, match="is a link"), new_folder(out, "run", overwrite=True) as folder:
        folder.clear()
    assert below(tmp_path) == before


def test_the_other_name_of_a_hard_link_keeps_its_content(tmp_path: Path) -> None:
    out = tmp_path / "out"
    fill(out, "a.nc")
    os.link(out / "a.nc", tmp_path / "kept.nc")
    with new_folder(out, "run", overwrite=True) as folder:
        folder.require_not_removed([tmp_path / "kept.nc"])
        folder.clear()
        write(folder, "a.nc", text="new")
    assert (tmp_path / "kept.nc").read_text() == "ours"


@pytest.mark.parametrize(
    "content",
    ["", "{}", "[1]", '{"format": "another", "version": 1, "holds": "run"}\n', "../x", "/etc/passwd", "a\0b", "."],
)
def test_a_record_that_is_not_ours_removes_nothing(tmp_path: Path, content: str) -> None:
    fill(tmp_path, "a.nc")
    record = tmp_path / RECORD
    header = record.read_text().splitlines()[0]
    record.write_text(content if content[:1] in ("", "{", "[") else f"{header}\n{json.dumps(content)}\n")
    with pytest.raises(ConfigError, match="damaged"), new_folder(tmp_path, "run", overwrite=True):
        pass
    assert below(tmp_path) == ["a.nc"]


def test_a_folder_that_stays_empty_vanishes_with_those_made_for_it(tmp_path: Path) -> None:
    def fail() -> None:
        with new_folder(tmp_path / "a" / "b", "run", overwrite=False) as folder:
            folder.own("a.nc")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert not list(tmp_path.iterdir())


def test_what_is_staged_appears_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    fill(tmp_path, "report/old.json", "report/page.html", "a.nc")
    (tmp_path / "report" / "mine.txt").write_text("mine")

    def fail(folder: OwnedFolder) -> None:
        with folder.staging("report") as staging:
            (staging / "page.html").write_text("half")
            raise ZeroDivisionError

    with taken(tmp_path, "run") as folder:
        with pytest.raises(ZeroDivisionError):
            fail(folder)
        assert below(tmp_path) == [".rootzone.lock", "a.nc", "report/mine.txt", "report/old.json", "report/page.html"]
        with folder.staging("report") as staging:
            (staging / "figures").mkdir()
            (staging / "figures" / "map.png").write_text("new")
            (staging / "page.html").write_text("new")
    assert below(tmp_path) == ["a.nc", "report/figures/map.png", "report/mine.txt", "report/page.html"]
    assert (tmp_path / "report" / "page.html").read_text() == "new"


@pytest.mark.parametrize("old", ["figures/map.png", "page.html"])
def test_staging_into_a_folder_that_cannot_be_written_leaves_all_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: str
) -> None:
    fill(tmp_path, old)
    (tmp_path / "figures").mkdir(exist_ok=True)
    readable = os.access  # for root all can be written
    monkeypatch.setattr(os, "access", lambda path, mode: path != tmp_path / "figures" and readable(path, mode))

    def publish(folder: OwnedFolder) -> None:
        with folder.staging() as staging:
            (staging / "figures").mkdir()
            (staging / "figures" / "new.png").write_text("new")

    with taken(tmp_path, "run") as folder, pytest.raises(ConfigError, match=r"figures: cannot be written"):
        publish(folder)
    assert below(tmp_path) == [old]


def test_an_interrupt_while_new_files_are_put_in_their_places_leaves_no_mixture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = Path.replace

    def interrupted(source: Path, target: Path) -> Path:
        signal.raise_signal(signal.SIGINT)
        return replace(source, target)

    def publish(text: str, *names: str) -> None:
        with taken(tmp_path, "evaluation") as folder, folder.staging() as staging:
            for name in names:
                (staging / name).write_text(text)
            if text == "new":
                monkeypatch.setattr(Path, "replace", interrupted)

    publish("old", "page.html", "numbers.json", "dropped.png")
    with interruptible(), pytest.raises(KeyboardInterrupt):
        publish("new", "page.html", "numbers.json")
    assert {name: (tmp_path / name).read_text() for name in below(tmp_path)} == {
        "page.html": "new",
        "numbers.json": "new",
    }


def test_what_a_killed_work_has_staged_beside_its_folder_vanishes_with_the_next_one(tmp_path: Path) -> None:
    names = (".rootzone.staging-basin-x1_y2z3a", ".rootzone.staging-basin-two-x1_y2z3a", "basin-x1_y2z3a")
    for name in names:
        (tmp_path / name).mkdir()
        (tmp_path / name / "domain.nc").write_text("half")
    with taken(tmp_path / "basin", "basin") as folder, folder.staging(beside=True) as staging:
        assert staging.parent == tmp_path
        assert not (tmp_path / names[0]).exists()
        (staging / "domain.nc").write_text("whole")
    # the second is that of a folder of another name
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(["basin", *names[1:]])
    assert (tmp_path / "basin" / "domain.nc").read_text() == "whole"
