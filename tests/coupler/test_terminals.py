"""Commands on terminals that cannot show every character, and names that are no text."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from bmi_common.config import require_name
from bmi_common.errors import ConfigError
from rootzone.bmi_evaluate import main as bmi_evaluate
from rootzone.bmi_init import main as bmi_init
from rootzone.bmi_run import main as bmi_run
from rootzone.bmi_train import main as bmi_train

pytestmark = pytest.mark.slow
SUPPORT = Path(__file__).resolve().parents[1] / "support"
ASCII = {"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}


def in_ascii(fake, *arguments: str | bytes) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(SUPPORT), *sys.path])
    command = [sys.executable, "-c", "from rootzone.bmi_run import main; main()", str(fake.write()), *arguments]
    return subprocess.run(command, env={**os.environ, **ASCII, "PYTHONPATH": path}, capture_output=True, text=True)


def test_a_run_on_an_ascii_terminal_says_what_it_can(fake):
    fake.run["title"] = "Größe [m³] ☃"
    fake.run["figures"] = True
    result = in_ascii(fake, "--output", str(fake.output))
    assert result.returncode == 0, result.stderr
    assert fake.open().title == "Größe [m³] ☃"
    fake.run["titel"] = "ü"
    result = in_ascii(fake, "--check")
    assert result.returncode == 2
    assert "titel: unknown key" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("name", ["größe.nc", b"gr\xf6\xdfe.nc"])
def test_a_name_that_the_encoding_of_files_lacks_is_refused_before_the_run(fake, name):
    if isinstance(name, str):
        fake.run["output"][0]["file"] = name
        result = in_ascii(fake, "--output", str(fake.output))
        assert ": output.0.file: " in result.stderr
    else:
        result = in_ascii(fake, "--output", os.fsencode(fake.output) + name)
    assert result.returncode == 2, result.stderr
    assert "the name cannot be written in ascii" in result.stderr
    assert "PYTHONUTF8=1" in result.stderr
    assert "Traceback" not in result.stderr
    assert sorted(p.name for p in fake.folder.iterdir()) == ["coupled.yaml", "groundwater.yaml", "land.yaml"]


def test_a_name_that_is_no_text_is_refused(fake):
    folder = os.fsdecode(b"gr\xf6\xdfe")
    with pytest.raises(ConfigError, match=r"the name cannot be written in utf-8, .*; rename it$"):
        require_name(Path(folder))
    fake.refuses("cannot be written in utf-8", arguments=("--output", folder))
    fake.refuses("cannot be written in utf-8", arguments=("--restart", folder))


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        (bmi_run, ["coupled.yaml", "--output", ""]),
        (bmi_run, ["--restart", ""]),
        (bmi_evaluate, ["physics", "hybrid", "--output", ""]),
        (bmi_train, [""]),
        (bmi_init, ["demo", ""]),
    ],
)
def test_an_empty_name_is_not_the_working_directory(tmp_path, monkeypatch, command, arguments):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 2
    assert "the name is empty" in result.output
    assert not list(tmp_path.iterdir())
