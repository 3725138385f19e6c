"""`bmi-init`: a ready case in a new folder, nothing of the user's touched."""

import filecmp
import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from rootzone.bmi_init import main
from rootzone.bmi_run import main as bmi_run
from rootzone.cases import CASES

CFG = Path(__file__).parents[2] / "cfg"


def bmi_init(*arguments: str) -> Result:
    return CliRunner().invoke(main, [*arguments])


def contents(folder: Path) -> dict[Path, bytes]:
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("case", CASES)
def test_the_files_of_a_case_are_those_of_the_checkout(case: str, tmp_path: Path) -> None:
    result = bmi_init(case, str(tmp_path / "new" / "case"))
    assert result.exit_code == 0, result.output
    made = [path for path in (tmp_path / "new" / "case").rglob("*") if path.is_file()]
    assert made
    for path in made:
        assert filecmp.cmp(path, CFG / path.relative_to(tmp_path / "new" / "case" / "cfg"), shallow=False)


@pytest.mark.parametrize("there", [False, True])
@pytest.mark.parametrize(("ends", "code"), [(KeyboardInterrupt(), 130), (OSError(28, "No space left on device"), 1)])
def test_nothing_stays_of_a_case_that_could_not_be_put_as_a_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ends: BaseException, code: int, there: bool
) -> None:
    written, write = [], Path.write_bytes

    def cut(path: Path, content: bytes) -> int:
        written.append(path)
        if len(written) == 4:
            write(path, content[:100])
            raise ends
        return write(path, content)

    folder = tmp_path / "new" / "case"
    if there:
        folder.mkdir(parents=True)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", cut)
        assert bmi_init("demo", str(folder)).exit_code == code
    assert list(tmp_path.rglob("*")) == ([tmp_path / "new", folder] if there else [])
    assert bmi_init("demo", str(folder)).exit_code == 0


@pytest.mark.slow
def test_the_demo_is_whole_in_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "a case"
    assert f"cd {shlex.quote(str(folder))}" in bmi_init("demo", str(folder)).output
    monkeypatch.chdir(folder)
    settings = ["--set", "time.end=2019-10-01T06:00"]
    result = CliRunner().invoke(bmi_run, ["cfg/coupled.yaml", "--check", *settings])
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize("case", CASES)
def test_the_files_that_a_case_names_are_in_it(case: str, tmp_path: Path) -> None:
    said = bmi_init(case, str(tmp_path / "case")).output
    named = re.findall(r"cfg/\S+", said)
    assert named
    assert all((tmp_path / "case" / name).is_file() for name in named)


def test_a_folder_that_holds_anything_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    result = bmi_init("demo", str(tmp_path))
    assert result.exit_code == 2
    assert f"{tmp_path} is not empty" in result.output
    assert contents(tmp_path) == {Path("notes.txt"): b"mine"}


def test_a_file_in_the_place_of_the_folder_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "demo").write_text("mine")
    result = bmi_init("demo", str(tmp_path / "demo"))
    assert result.exit_code == 2
    assert contents(tmp_path) == {Path("demo"): b"mine"}


def test_a_place_below_a_file_fails_in_one_message(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    result = bmi_init("demo", str(tmp_path / "file" / "demo"))
    assert result.exit_code in (1, 2)
    assert len(result.output.splitlines()) == 1
    assert contents(tmp_path) == {Path("file"): b"mine"}


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    assert bmi_init("pearl_river", str(tmp_path)).exit_code == 0
    assert (tmp_path / "cfg" / "pearl_river.yaml").is_file()


def test_without_arguments_the_cases_are_listed_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = bmi_init()
    assert result.exit_code == 0
    assert all(name in result.output and case.title in result.output for name, case in CASES.items())
    unknown = bmi_init("dem")
    assert unknown.exit_code == 2
    assert "demo, training, pearl_river" in unknown.output
    assert not [*tmp_path.iterdir()]
