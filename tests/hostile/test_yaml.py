"""YAML of runs and components: text that is none, values of every wrong kind, tags that would run code."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from conformance.components import COMPONENTS, Component
from hostile.judge import judge, tries
from hostile.mutations import damaged_bytes, spoiled_trees
from hypothesis import given
from hypothesis import strategies as st

from bmi_common.config import read_yaml
from bmi_common.errors import RootzoneError
from rootzone.bmi_run import main

SNIPPETS = (
    '!!python/object/apply:os.system ["touch pwned"]', "!!python/name:os.system", "!!python/object/new:type [x]",
    "!!binary =", "!!set {a, a}", "!!omap [a]", "!!pairs [[a]]", "!!timestamp abc", "!!float abc", "!!int ''", "!!bool x",
    "!!null x", "!!merge", "!!value", "=", "<<: 1", "<<: [1]", "<<: *a", "&a [*a]", "&a {b: *a}", "*a", "? [a]", "? {a: b}",
    "[[[[[[[[[[", "{" * 400, "[" * 5000, "- " * 3000, "\t", "\x00", "\ufeff", "\x85", "%YAML 9.9\n---", "--- a\n--- b",
    "2020-13-45", "0x", "0b2", "1:99:99.9", "0o9", "12e999999", "!<tag:yaml.org,2002:int> 5_", "'", '"\\ud800"', '"\\x"', "@",
    "key: |999", "a: >-99", "? ", "!!int 0x", "!!int -", "!!int 1:", "!!float ._", "!!timestamp 9999-99-99", "0001-01-01",
    "9999-12-31 23:59:59 -23:59", "!!timestamp 0001-01-01 00:00:00 +23:59", "- !!set [1]",
)  # fmt: skip
LAUGHS = "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n" for i in range(1, 40))

RUN = """\
time: {start: 2020-01-01T00:00, end: 2020-01-01T02:00, step: 1h}
paths: {data: .}
components:
  land: {class: "zoo:Land", config: land.yaml}
  groundwater: {class: "zoo:Bucket", config: groundwater.yaml}
order: [land, groundwater]
exchanges:
  - {from: groundwater.soil_water__pressure_head, to: land.soil_water__pressure_head}
  - {from: groundwater.soil_water__saturation, to: land.soil_water__saturation}
  - from: land.soil_root-zone_water__net_volume_flux
    to: groundwater.soil_root-zone_water__net_volume_flux
    method: mean
output:
  - {file: hourly.nc, every: 1h, variables: [groundwater.soil_water__pressure_head], precision: double}
checks: {ranges: {land.soil_water__saturation: [0.0, 1.0]}}
checkpoint: {every: 1h, keep: 2}
spin_up: {repeat: P1D, max: 1}
"""


@given(data=st.data())
@tries(150)
def test_text_is_read_or_refused(tmp_path: Path, data: st.DataObject) -> None:
    text = RUN.encode()
    for _ in range(data.draw(st.integers(0, 2))):
        at = data.draw(st.integers(0, len(text)))
        text = text[:at] + data.draw(st.sampled_from(SNIPPETS)).encode() + text[at:]
    text = data.draw(st.one_of(damaged_bytes(text), st.just(text), st.binary(max_size=40)))
    file = tmp_path / "run.yaml"
    file.write_bytes(text)
    judge(lambda: read_yaml(file), tmp_path, seconds=5.0)


@pytest.mark.parametrize("text", [*SNIPPETS, LAUGHS], ids=lambda t: ascii(t[:30]))
@pytest.mark.parametrize("around", ["{}", "key: {}", "- {}"])
def test_what_yaml_can_say_is_read_or_refused(tmp_path: Path, text: str, around: str) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(around.format(text) if text != LAUGHS else text, encoding="utf-8")
    judge(lambda: read_yaml(file), tmp_path, seconds=10.0)
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize("name", ["/dev/zero", "fifo"])
def test_what_is_no_file_is_refused_and_not_waited_for(tmp_path: Path, name: str) -> None:
    if name == "fifo":
        os.mkfifo(tmp_path / name)
    assert "no file" in judge(lambda: read_yaml(tmp_path / name), tmp_path, seconds=5.0)


# ---------------------------------------------------------------------- components

KINDS = {c.build.__name__: c for c in COMPONENTS if c.build.__name__ in ("richards", "prescribed", "surrogate", "colm")}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Path, Path]]:
    """Folder with good files of a component, and its configuration."""
    made: dict[str, tuple[Path, Path]] = {}

    def get(kind: str) -> tuple[Path, Path]:
        if kind not in made:
            folder = tmp_path_factory.mktemp(kind)
            made[kind] = folder, KINDS[kind].build(folder)[0]
        return made[kind]

    return get


def _start(component: Component, config: Path) -> None:
    bmi = component.load()()
    bmi.initialize(str(config))
    try:
        for name, value in component.inputs.items():
            bmi.set_value(name, np.full(bmi.get_value_ptr(name).size, value))
        bmi.update()
    finally:
        bmi.finalize()


def _write(file: Path, tree: Any) -> None:
    file.write_text(yaml.safe_dump(tree, sort_keys=False), encoding="utf-8")


@pytest.mark.fuzz
@pytest.mark.parametrize("file", ["own", "domain"])
@pytest.mark.parametrize("kind", list(KINDS))
def test_components_accept_or_refuse_their_configuration(
    built: Callable[[str], tuple[Path, Path]], kind: str, file: str
) -> None:
    folder, config = built(kind)
    target = config if file == "own" else folder / "domain.yaml"
    good = target.read_text()
    answers: list[str] = []

    @given(tree=spoiled_trees(yaml.load(good, Loader=yaml.SafeLoader)))
    @tries(15)
    def check(tree: Any) -> None:
        _write(target, tree)
        answers.append(judge(lambda: _start(KINDS[kind], config), folder))

    try:
        check()
    finally:
        target.write_text(good)
    _start(KINDS[kind], config)  # the good file is accepted, so that what is refused is refused for its fault
    assert any(answers)


# ---------------------------------------------------------------------- runs


def command(*arguments: str) -> None:
    """Run the command; its one message becomes the error that `judge` expects."""
    result = CliRunner().invoke(main, list(arguments))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    if result.exit_code:
        messages = [line for line in result.output.splitlines() if line.startswith(("bmi-run: ", "Error: "))]
        assert len(messages) == 1, result.output
        raise RootzoneError(messages[0])


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    for name in ("land", "groundwater"):
        (folder / f"{name}.yaml").write_text("{nx: 4, ny: 3, layers: 11}\n")
    return folder


def test_the_good_run_runs(run_folder: Path) -> None:
    (run_folder / "good.yaml").write_text(RUN)
    assert judge(lambda: command(str(run_folder / "good.yaml"), "--output", str(run_folder / "out")), run_folder) == ""


@given(tree=spoiled_trees(yaml.safe_load(RUN)))
@tries(20)
def test_runs_are_checked_or_refused(run_folder: Path, tree: Any) -> None:
    modules = set(sys.modules)
    _write(run_folder / "run.yaml", tree)
    before = sorted(p.name for p in run_folder.iterdir())
    judge(lambda: command(str(run_folder / "run.yaml"), "--check"), run_folder)
    assert sorted(p.name for p in run_folder.iterdir()) == before, "--check writes nothing"
    assert not any(m.startswith(("antigravity", "this")) for m in set(sys.modules) - modules)


@given(
    tree=spoiled_trees(yaml.safe_load(RUN)["output"], most=1),
    name=st.sampled_from(["../out.nc", "/tmp/out.nc", "a/b.nc"]),
)
@tries(8)
def test_outputs_stay_in_the_output_folder(run_folder: Path, tree: Any, name: str) -> None:
    run = yaml.safe_load(RUN)
    run["output"] = tree
    if tree and isinstance(tree[0], dict) and "file" in tree[0]:
        tree[0]["file"] = name
    _write(run_folder / "run.yaml", run)
    output = run_folder / "inner"
    shutil.rmtree(output, ignore_errors=True)
    before = sorted(p.name for p in run_folder.iterdir())
    judge(lambda: command(str(run_folder / "run.yaml"), "--output", str(output)), output)
    assert sorted(p.name for p in run_folder.iterdir() if p != output) == before


@pytest.mark.parametrize("setting", ["", "=", "a", "=1", "time=", "time.start", "..=1", "output.0.file=[", "order.9=1", "x.y.z=1",
                                     "time.end=!!python/name:os.system", "components.land=1", "paths.data=\x00"])  # fmt: skip
def test_settings_are_applied_or_refused(run_folder: Path, setting: str) -> None:
    (run_folder / "good.yaml").write_text(RUN)
    judge(lambda: command(str(run_folder / "good.yaml"), "--check", "--set", setting), run_folder)
