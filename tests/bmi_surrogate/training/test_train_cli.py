"""`bmi-train` as a user meets it: mistakes are one line, signals save the state, a killed training goes on exactly."""

import logging
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from click.testing import CliRunner, Result
from dropped_interrupts import dropping_within, interruptible
from listening import listen
from training_cases import (
    VALIDATION,
    assert_same,
    contents,
    domain_section,
    log_of,
    state_of,
    train,
    write_config,
)
from training_stores import write_netcdf, write_parflow

from bmi_common import Domain, DomainConfig
from bmi_surrogate.training import command
from bmi_surrogate.training.trainer import LOG, STATE
from rootzone.bmi_train import main

pytestmark = pytest.mark.slow


def run(file: Path, *options: str) -> Result:
    return CliRunner().invoke(main, [str(file), *options])


def assert_bad_input(result: Result, *words: str) -> None:
    """One line that starts with ``error:``, exit code 2."""
    assert result.exit_code == 2, (result.output, result.exception)
    lines = [line for line in result.stderr.splitlines() if line.strip()]
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("bmi-train: ")
    for word in words:
        assert word in lines[0], (word, lines[0])


# ---------------------------------------------------------------------------------------------- bad input


@pytest.mark.usefixtures("no_figures")
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"data": {"store": "store", "validation_hours": 80}}, ["store: has 80 h of data; 80 h of them validate"]),
        ({"seeds": [2**64]}, ["out.yaml:", "seeds.0: input should be less than 4294967296"]),
        ({"data": {"store": "nowhere"}}, ["nowhere: is no finished training store"]),
        ({"data": {"store": "store", "runs": ["no_run"]}}, ["out.yaml:", "data.runs.0: no such file:"]),
        ({"data": {"store": "store", "validation_hours": 0}}, ["data.validation_hours: a training needs hours"]),
        (
            {"domain": domain_section() | {"layers": [5.0] + [0.5] * 10}},
            ["store.yaml: was made for another domain", "layer"],
        ),
        (
            {"domain": {k: v for k, v in domain_section().items() if k != "mask"}},
            ["store.yaml", "other cells are active"],
        ),
        (
            {"domain": domain_section() | {"root_zone": {"layers": 4}}},
            ["store.yaml", "sources in the upper 10 layers, the domain's root zone has 4"],
        ),
        ({"domain": {k: v for k, v in domain_section().items() if k != "manning"}}, ["manning"]),
        ({"stages": {"iterations": 5, "hours": 69}}, ["stages.0: hours:", "training hours", "is 69 h long"]),
        (
            {"stages": [{"iterations": 5, "hours": 4, "gradient_hours": 5}]},
            ["gradient_hours: 5 are more than the 4 hours"],
        ),
        ({"stages": []}, ["stages"]),
        ({"validation": {"hours": 13}}, ["validation.hours: 13 are more than data.validation_hours, 12"]),
        ({"validation": {"score": "temperature"}}, ["validation.score"]),
        ({"seeds": [1, 1]}, ["seeds: each must stand once"]),
        ({"seeds": []}, ["seeds"]),
        ({"device": "gpu"}, ["device: 'gpu' is not a device; use auto, cpu, cuda"]),
        ({"device": "cuda:99"}, ["device: cuda:99 does not exist"]),
        ({"mixed_precision": True}, ["mixed_precision: needs a CUDA device"]),
        ({"compile": True}, ["compile: is not possible with the structured surrogate"]),
        ({"sampling": {"tile": 9}}, ["9"]),
        (
            {"sampling": {"mode": "published", "tile": 4}, "stages": {"iterations": 1, "hours": 121}},
            ["stages.0: hours:"],
        ),
        ({"surrogate": {"architecture": "magic"}}, ["out.yaml:", "surrogate"]),
        ({"surrogate": {"architecture": "predrnn", "kernel": 99}}, ["kernel"]),
        ({"optimizer": {}}, ["optimizer: unknown key; did you mean 'optimiser'?"]),
        ({"output": "mask.npz/weights"}, ["output:", "mask.npz is no folder that can be written to"]),
    ],
    ids=lambda v: "-".join(v) if isinstance(v, dict) else "",
)
@pytest.mark.parametrize("earlier", [False, True], ids=["new", "over an earlier training"])
def test_a_mistake_is_one_line_and_nothing_is_written(
    basin: Path, trained: Path, changes: dict[str, Any], words: list[str], earlier: bool
) -> None:
    if earlier:
        (basin / "out").symlink_to(trained)
    before = contents(trained)
    result = run(written(basin, changes))
    assert_bad_input(result, *words)
    assert contents(trained) == before
    if not earlier:
        assert not (basin / "out").exists()


def written(basin: Path, changes: dict[str, Any]) -> Path:
    if "output" not in changes:
        return write_config(basin, **changes)
    file = write_config(basin)
    file.write_text(file.read_text().replace("output: out", f"output: {changes['output']}"))
    return file


@pytest.fixture(scope="module")
def trained(_basin: Path) -> Path:
    """Output of an earlier training."""
    train(write_config(_basin, output="earlier"))
    return _basin / "earlier"


@pytest.mark.parametrize("key", ["domain", "data", "surrogate", "stages", "output"])
def test_a_missing_key_is_named(basin: Path, key: str) -> None:

    file = write_config(basin)
    content = yaml.safe_load(file.read_text())
    del content[key]
    file.write_text(yaml.safe_dump(content))
    assert_bad_input(run(file), f"{file}", key, "this key is missing" if key != "surrogate" else "")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert_bad_input(run(tmp_path / "train.yaml"), "train.yaml: no such file")


def domain_of(basin: Path) -> Domain:
    mask = {"file": str(basin / "mask.npz"), "variable": "mask"}
    return Domain.load(DomainConfig.model_validate(domain_section() | {"mask": mask}))


def test_a_run_with_a_gap_or_too_few_hours_is_refused(basin: Path) -> None:
    domain = domain_of(basin)
    head, source = (np.load(basin / "store" / name).astype(float) for name in ("head.npy", "source.npy"))
    folder = write_parflow(basin / "parflow", head[:30], source[:29])
    data = {"store": "new", "runs": ["parflow"], "validation_hours": VALIDATION}
    file = write_config(basin, data=data)
    (folder / "basin.out.press.00011.pfb").rename(folder / "kept")
    assert_bad_input(run(file), "parflow", "00011")
    (folder / "kept").rename(folder / "basin.out.press.00011.pfb")

    write_netcdf(basin / "short.nc", domain, head[1:12], source[:11])
    assert_bad_input(
        run(write_config(basin, data=data | {"runs": ["short.nc"]})), "short.nc: 10 h of data, of which 12 h validate"
    )
    larger = domain_section() | {"grid": {"nx": 6, "ny": 5, "dx": 600.0, "dy": 800.0}}
    write_netcdf(basin / "run.nc", domain, head[1:41], source[:40])
    assert_bad_input(
        run(write_config(basin, data=data | {"runs": ["run.nc"]}, domain=larger)), "run.nc", "is on another grid"
    )
    assert not (basin / "out").exists()
    assert not (basin / "new").exists()


def test_compile_without_a_compiler_is_refused(basin: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(basin))
    monkeypatch.delenv("CXX", raising=False)
    file = write_config(basin, surrogate={"architecture": "predrnn", "hidden": 2}, compile=True)
    assert_bad_input(run(file), "compile: true needs a C++ compiler")
    assert not (basin / "out").exists()


def test_compile_with_attention_is_refused(basin: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bmi_surrogate.compute.shutil.which", lambda name: f"/usr/bin/{name}")
    assert_bad_input(run(write_config(basin, "predrnn", compile=True)), "compile: true is not possible with attention")
    assert not (basin / "out").exists()


def test_a_failure_while_training_has_its_own_exit_code(basin: Path) -> None:
    write_config(basin)
    assert run(basin / "out.yaml", "--check").exit_code == 0
    source = np.load(basin / "store" / "source.npy", mmap_mode="r+")
    source[:60, -1] = np.nan
    source.flush()
    result = run(basin / "out.yaml")
    assert result.exit_code == 1
    last = result.stderr.strip().splitlines()[-1]
    assert re.match(
        r"bmi-train: the loss is not finite in iteration 1: by the sample at hour \d+, tile at cell \(j=", last
    )


def test_a_full_disk_is_one_line(basin: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(partial: Path, path: Path) -> None:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr("bmi_surrogate.training.training_state.commit", full)
    result = run(write_config(basin))
    assert result.exit_code == 1
    assert result.stderr.strip().splitlines()[-1].startswith("bmi-train: [Errno 28] No space left on device:")


def test_check_prepares_and_trains_nothing(basin: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "rootzone")
    file = write_config(basin)
    assert run(file, "--check").exit_code == 0
    assert f"{file}: can be trained (1189 parameters, 10 iterations)" in caplog.messages
    assert not (basin / "out").exists()


def test_the_table_names_every_seed_and_persistence(basin: Path) -> None:
    result = run(write_config(basin, seeds=[4, 7]))
    assert result.exit_code == 0, result.stderr
    rows = [re.findall(r"[\w.–]+", line) for line in result.stderr.splitlines() if "│" in line]
    assert [row[0] for row in rows] == ["4", "7", "persistence"]
    assert rows[2][1] == f"{train(basin / 'out.yaml').persistence:.4g}"


# ------------------------------------------------------------------------------------------------- signals


_CHILD = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs inherit that it is ignored
from rootzone.bmi_train import main
for _ in range(2):
    try:
        main(sys.argv[1:])
    except SystemExit as end:
        print("exit", end.code, file=sys.stderr)
"""
STAGES = {
    "stages": [{"iterations": 50, "hours": 1}, {"iterations": 20, "hours": 3}],
    "validation": {"every": 25, "hours": 2},
}


def start(file: Path) -> subprocess.Popen[str]:
    """Train twice: the second time goes on where the first one was interrupted."""
    env = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", _CHILD, str(file)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=env, preexec_fn=listen)


def wait_for(child: subprocess.Popen[str], log: Path, iterations: int) -> None:
    """Until the log has so many iterations."""
    deadline = time.monotonic() + 60.0
    while not log.is_file() or not re.search(rf"^{iterations},", log.read_text(), re.MULTILINE):
        assert child.poll() is None, "it ended too early"
        assert time.monotonic() < deadline, "it takes too long"
        time.sleep(0.005)


@pytest.fixture
def whole(basin: Path, no_figures: None) -> Path:
    """Output of a training that nothing interrupts."""
    train(write_config(basin, "predrnn", "whole", **STAGES))
    return basin / "whole"


def test_killed_and_interrupted_it_ends_the_same(basin: Path, whole: Path) -> None:
    file = write_config(basin, "predrnn", **STAGES)
    out = basin / "out"
    log = out / "seed_0" / LOG

    child = start(file)
    wait_for(child, log, random.randint(5, 25))
    child.kill()
    child.communicate()
    assert child.returncode == -signal.SIGKILL
    assert (out / "seed_0" / STATE).is_file()

    child = start(file)
    for kind, iterations in ((signal.SIGTERM, 35), (signal.SIGINT, 55)):
        wait_for(child, log, iterations)
        child.send_signal(kind)
    said = child.communicate(timeout=60)[1]
    message = "interrupted; the state is saved: the same command goes on from it\nexit 130"
    assert said.count(message) == said.count("stopping after this iteration") == 2, said
    assert said.strip().endswith(message)
    assert "Traceback" not in said
    assert 55 <= state_of(out)["iteration"] < 70

    train(file)
    assert_same(state_of(whole), state_of(out))
    assert log_of(whole) == log_of(out)
    assert (whole / "best.safetensors").read_bytes() == (out / "best.safetensors").read_bytes()
    assert not [p for p in out.rglob(".*") if p.name not in (f".{STATE}.partial", ".rootzone.files")]


def test_an_interrupt_before_training_is_no_traceback(basin: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*args: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "prepare_material", interrupt)
    result = run(write_config(basin))
    assert result.exit_code == 130
    assert "Traceback" not in result.output


@pytest.mark.parametrize("options", [(), ("--check",)])
def test_an_interrupt_that_a_library_drops_ends_the_command_all_the_same(
    basin: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
) -> None:
    monkeypatch.setattr(command, "prepare_material", dropping_within(command.prepare_material))
    with interruptible():
        result = run(write_config(basin), *options)
    assert result.exit_code == 130, result.output
