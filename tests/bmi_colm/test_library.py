"""The component of the user's CoLM library, run with a double of the library that checks the contract."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import yaml
from library_cases import (
    COVER,
    LATITUDE,
    LAYERS,
    LONGITUDE,
    MASK,
    NX,
    NY,
    POROSITY,
    advance,
    compiled,
    expected,
    give,
    outputs,
    started,
    write_basin,
    write_config,
)

from bmi_colm import BmiColm, BmiColmLibrary
from bmi_colm import variables as names
from bmi_colm.config import prepare
from bmi_colm.land import ClampedHeadWarning
from bmi_colm.library.cells import ReadinWarning
from bmi_colm.readin import NUMBERS, read_readin
from bmi_common import BmiStateError, ConfigError, ModelError

pytestmark = pytest.mark.slow

EVERY_SECOND = 0.05


@pytest.fixture
def basin(tmp_path: Path) -> Path:
    return write_basin(tmp_path)


def processes(bmi: BmiColmLibrary) -> list[int]:
    assert bmi._processes is not None
    return [member.process.pid for member in bmi._processes.members]


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and not been waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def all_end(pids: list[int]) -> bool:
    until = time.monotonic() + 15.0
    while time.monotonic() < until:
        if not any(alive(pid) for pid in pids):
            return True
        time.sleep(EVERY_SECOND)
    return False


def assert_same(ours: dict[str, np.ndarray], theirs: dict[str, np.ndarray], **tolerance: float) -> None:
    for name in theirs:
        np.testing.assert_allclose(ours[name], theirs[name], err_msg=name, **(tolerance or {"rtol": 1e-12}))


# ---------------------------------------------------------------------------------------------------- values


@pytest.mark.parametrize("blocks", [(1, 1), (2, 1), (4, 3), (7, 5)])
def test_every_output_comes_from_its_own_cell_layer_and_step(basin, blocks):
    bmi = started(basin, f"blocks: [{blocks[0]}, {blocks[1]}]")
    for step in range(3):
        advance(bmi, 1, first=step)
        assert_same(outputs(bmi), expected(step))
    bmi.finalize()


def test_results_do_not_depend_on_the_blocks(basin):
    one, many = started(basin), started(basin, "blocks: [4, 3]")
    for bmi in (one, many):
        advance(bmi, 2)
    for name, values in outputs(one).items():
        np.testing.assert_array_equal(outputs(many)[name], values, err_msg=name)
    assert len(processes(many)) < 12  # rectangles without active cells have no process
    for bmi in (one, many):
        bmi.finalize()


def test_the_library_gets_the_arguments_of_the_contract(basin):
    bmi = started(basin, "blocks: [2, 2], working_directory: run", more="water_stress: 1\nwilting_point: -150.0\n"
                  "field_capacity: -3.0\nevaporation_factor: 2\nresidual_saturation: 0.1\n")  # fmt: skip
    advance(bmi, 2)
    for rank, columns in enumerate((slice(0, 4), slice(4, 7), slice(0, 4), slice(4, 7))):
        rows = slice(0, 3) if rank < 2 else slice(3, 5)
        n = int(MASK[rows, columns].sum())
        folder = basin / "run" / f"block_{rank}"
        if n == 0:
            assert not folder.exists()
            continue
        log = dict(line.split(" ", 1) for line in (folder / "colm.log").read_text().splitlines())
        assert log["library"] == str(folder / "libcolm.so")
        assert log["start"] == "2020 6 1 43200"
        assert [int(v) for v in log["integers"].split()] == [
            *(0, 0, n, 1, 10, n + 2, 3, 12, 10, 0, 1, 1, 1, n, 1, rank),
            *(1, 0, 0, 0, 0, 0, 2, 1),
            *(0, 0, 0, 10, 1, 0, 0, 0, 10, 10),
        ]
        assert [float(v) for v in log["doubles"].split()] == [
            *(1.0, 0.0, 1000.0, 500.0, 1.0, -150.0, -3.0, 0.1),
            *(0.0, 0.0, 0.0, 0.0),
        ]
        assert log["step"] == "2 at 1 h"  # the last
    bmi.finalize()


def test_each_block_has_its_own_library_and_readin(basin):
    bmi = started(basin, "blocks: [2, 1], working_directory: run")
    west = np.zeros_like(MASK)
    west[:, :4] = MASK[:, :4]
    for rank, cells in enumerate((west, MASK & ~west)):
        folder = basin / "run" / f"block_{rank}"
        assert not (folder / "libcolm.so").samefile(basin / "libcolm.so")
        table = np.loadtxt(folder / "CoLM_readin.dat")
        assert table.shape == (cells.sum(), NUMBERS)
        np.testing.assert_array_equal(table[:, :2] - 1, np.argwhere(cells)[:, ::-1])
        np.testing.assert_array_equal(table[:, 2], COVER[cells])
        np.testing.assert_array_equal(table[:, 3], LONGITUDE[cells])
        np.testing.assert_array_equal(table[:, 4], LATITUDE[cells])
        assert (table[:, 5:].reshape(-1, 5, 8) == np.array([5.0, 42.0, 18.0, 125.0, 140.0])[:, None]).all()
    bmi.finalize()


def test_geometry_is_that_of_the_root_zone(basin):
    bmi = started(basin)
    np.testing.assert_array_equal(bmi.values[names.LAYER_THICKNESS][:, 1, 1], LAYERS[2:])
    np.testing.assert_array_equal(bmi.values[names.POROSITY][:, 1, 1], POROSITY[2:])
    bmi.finalize()


def test_names_are_those_of_the_other_land_component():
    ours, theirs = BmiColmLibrary(), BmiColm()
    # the published coupling does not know these
    optional = {v.name for v in (*names.IRRIGATION_VARIABLES, names.SATURATED_GROUND)}
    assert ours.get_input_var_names() == tuple(n for n in theirs.get_input_var_names() if n not in optional)
    # coupling cannot tell them apart; the other one has more diagnostics
    assert ours.get_output_var_names()[: len(names.LAND_OUTPUTS)] == tuple(v.name for v in names.LAND_OUTPUTS)
    assert set(ours.get_output_var_names()) < set(theirs.get_output_var_names())


def test_dry_soil_is_clamped_before_the_library_sees_it(basin):
    bmi = started(basin, more="lowest_head: -100.0")
    give(bmi, 0)
    bmi.values[names.PRESSURE_HEAD][9, 1, :2] = -1.0e6
    with pytest.warns(ClampedHeadWarning, match="below -100 m in 2 cells"):
        bmi.update()
    assert bmi.values[names.CLAMPED_HEADS] == 2
    clamped = bmi.values[names.NET_SOURCE][9, 1, :2]
    give(bmi, 0)
    bmi.values[names.PRESSURE_HEAD][9, 1, :2] = -100.0
    bmi.update()
    np.testing.assert_array_equal(bmi.values[names.NET_SOURCE][9, 1, :2], clamped)
    bmi.finalize()


def test_two_instances_in_one_interpreter_are_independent(basin):
    one, other = started(basin), started(basin, "blocks: [2, 2]")
    advance(one, 3)
    advance(other, 1)
    assert_same(outputs(other), expected(0))
    assert_same(outputs(one), expected(2))
    one.finalize()
    advance(other, 1, first=1)
    assert_same(outputs(other), expected(1))
    other.finalize()


# --------------------------------------------------------------------------------------------------- failures


@pytest.mark.parametrize(
    ("kind", "how"),
    [
        ("abort", r"was ended by signal 6 \(SIGABRT\)"),
        ("segfault", r"was ended by signal 11 \(SIGSEGV\)"),
        ("exit", "ended with exit status 0"),
        ("hang", r"did not return within 3 s \(library\.timeout\)"),
    ],
)
def test_a_failing_block_is_one_error_and_all_processes_end(basin, monkeypatch, kind, how):
    monkeypatch.setenv("DOUBLE_FAULT", f"{kind} 2 3")
    bmi = started(basin, "blocks: [3, 2], timeout: 3")
    pids = processes(bmi)
    advance(bmi, 1)
    give(bmi, 1)
    with pytest.raises(ModelError, match=how) as raised:
        bmi.update()
    assert "CoLM library, 2020-06-01 13:00: block 3 (j=3-4, i=0-2)" in str(raised.value)
    if kind != "abort":  # which loses what C has not printed yet
        assert f"    about to {kind} in step 2" in str(raised.value)
    assert "    step 1 at 0 h" in str(raised.value)
    assert all_end(pids)
    with pytest.raises(BmiStateError, match="an earlier call failed"):
        bmi.update()
    bmi.finalize()


def test_what_is_not_finite_names_variable_and_cell(basin, monkeypatch):
    monkeypatch.setenv("DOUBLE_FAULT", "nan 2 1")
    bmi = started(basin, "blocks: [2, 1]")
    advance(bmi, 1)
    give(bmi, 1)
    with pytest.raises(ModelError, match=rf"{names.LATENT_HEAT} is nan \[W m-2\], at cell \(j=0, i=4\)"):
        bmi.update()
    bmi.finalize()


def test_a_broken_contract_is_told_with_the_words_of_the_library(basin):
    bmi = started(basin, "working_directory: run")
    (basin / "run" / "block_0" / "snicar_par.dat").unlink()
    give(bmi, 0)
    with pytest.raises(ModelError, match=r"(?s)exit status 7 in step 1.*colm\.log.*no snicar_par\.dat"):
        bmi.update()
    bmi.finalize()


def test_processes_end_with_finalize_and_with_the_last_reference(basin):
    bmi = started(basin, "blocks: [2, 2]")
    pids = processes(bmi)
    advance(bmi, 1)
    bmi.finalize()
    assert not any(alive(pid) for pid in pids)
    forgotten = started(basin, "blocks: [2, 2]")
    pids = processes(forgotten)
    del forgotten
    gc.collect()
    assert all_end(pids)


SCRIPT = """
import os, sys, time
sys.path.insert(0, {tests!r})
from pathlib import Path
from library_cases import give, started
bmi = started(Path({folder!r}), "blocks: [2, 2]")
pids = [m.process.pid for m in bmi._processes.members]
if {forked} and not (copy := os.fork()):
    time.sleep(30.0)
    os._exit(0)
print(*pids, copy if {forked} else "", flush=True)
give(bmi, 0)
bmi.update()
"""


@pytest.mark.parametrize("forked", [False, True], ids=["", "a copy of the parent lives on"])
def test_processes_end_when_the_parent_is_killed_even_within_a_call(basin, forked):
    script = SCRIPT.format(tests=str(Path(__file__).parents[1] / "support"), folder=str(basin), forked=forked)
    environment = {**os.environ, "DOUBLE_FAULT": "hang 1 0", "TMPDIR": str(basin)}
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, env=environment)
    assert parent.stdout is not None
    pids = [int(word) for word in parent.stdout.readline().split()]
    assert len(pids) == 3 + forked
    copy = pids.pop() if forked else None
    time.sleep(0.3)  # into the call that hangs
    assert all(alive(pid) for pid in pids)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    assert all_end(pids)
    if copy is not None:
        os.kill(copy, signal.SIGKILL)


def test_an_interrupt_of_the_user_ends_all_processes(basin, monkeypatch):
    monkeypatch.setenv("DOUBLE_FAULT", "hang 1 0")
    bmi = started(basin, "blocks: [2, 2]")
    pids = processes(bmi)
    give(bmi, 0)
    # a shell lets its background jobs ignore the interrupt
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGINT))
    signal.setitimer(signal.ITIMER_REAL, 0.5)
    try:
        with pytest.raises(KeyboardInterrupt):
            bmi.update()
    finally:
        signal.signal(signal.SIGINT, before)
    assert all_end(pids)
    bmi.finalize()


# ------------------------------------------------------------------------------------------------- mistakes


def other_machine(folder: Path) -> None:
    content = bytearray(compiled().read_bytes())
    content[18:20] = (21).to_bytes(2, "little")  # ppc64le
    (folder / "other.so").write_bytes(content)


def test_a_library_for_another_machine_is_refused(basin):
    other_machine(basin)
    with pytest.raises(ConfigError, match=r"other\.so is built for ppc64le, this machine is"):
        started(basin, "file: other.so, snicar: unused")


def test_a_library_without_the_symbol_is_refused(basin):
    (basin / "empty.so").write_bytes(compiled("int nothing_of_use;\n").read_bytes())
    with pytest.raises(ConfigError, match=r"land\.yaml: library\.file: .*empty\.so cannot be used: .*clm_lsm_c"):
        started(basin, "file: empty.so, snicar: unused")


def test_a_library_that_lacks_another_library_is_refused(basin):
    content = compiled().read_bytes()
    assert b"libc.so.6\0" in content
    (basin / "lacking.so").write_bytes(content.replace(b"libc.so.6\0", b"libx.so.6\0"))
    with pytest.raises(ConfigError, match=r"lacking\.so cannot be used: libx\.so\.6: cannot open"):
        started(basin, "file: lacking.so, snicar: unused")


@pytest.mark.parametrize(
    ("library", "more", "message"),
    [
        ("file: land.yaml, snicar: unused", "", r"land\.yaml is no shared library"),
        ("file: none.so, snicar: unused", "", r"land\.yaml:\d+: library\.file: no such file"),
        ("file: libcolm.so", "", r"snicar: no such file: .*snicar_par\.dat; CoLM reads this table of snow optics"),
        ("file: libcolm.so, snicar: basin.nc", "", "cannot be read as text"),
        ("file: libcolm.so, snicar: land.yaml", "", "2728 lines of 3 numbers"),
        ("blocks: [8, 1]", "", r"library\.blocks: 8 blocks for 7 cells in x"),
        ("blocks: [0, 1]", "", r"library\.blocks"),
        ("timeout: 0", "", r"library\.timeout"),
        ("block: [1, 1]", "", r"library\.block: unknown key; did you mean 'blocks'"),
        ("restart_frequency: daily", "", "restart files need a working_directory"),
        ("hot_start: ., working_directory: .", "", "name another folder than working_directory"),
        ("hot_start: .", "", r"no such file: .*CoLM\.TimeInvariants\.rst\.0"),
        ("", "frozen_soil: conserving", "frozen_soil: a CoLM library cannot be told this.*`reference`"),
        ("", "published_numerics: false", "published_numerics: a CoLM library"),
        ("", "carbon_dioxide: 420", "carbon_dioxide: a CoLM library cannot.*its own table"),
        ("", "reference_height: {wind: 10.0}", "reference_height: a CoLM library.*50 m for wind"),
        ("", "vegetation_table: basin.nc", "vegetation_table: a CoLM library"),
        ("", "vegetation: {10: {stem_area: 1.0}}", "vegetation: a CoLM library"),
        ("", "soil_maps: {colour: 3}", "soil_maps: a CoLM library"),
        ("", "leaf_area: {file: a.nc, variable: LAI, time: dated}", "leaf_area: a CoLM library"),
        ("", "water_stress: 1", "water_stress 1.*below 0"),
        ("", "fozen_soil: reference", "fozen_soil: unknown key; did you mean 'frozen_soil'"),
    ],
)
def test_mistakes_are_named_before_the_run(basin, library, more, message):
    with pytest.raises(ConfigError, match=message):
        started(basin, library, more)


def test_what_a_library_does_anyway_may_be_said(basin):
    bmi = started(
        basin, more="frozen_soil: reference\npublished_numerics: true\nreference_height: {wind: 50.0}\nthreads: 4"
    )
    bmi.finalize()


def test_a_configuration_without_the_section_is_refused(basin):
    path = write_config(basin)
    path.write_text("\n".join(line for line in path.read_text().splitlines() if not line.startswith("library:")))
    with pytest.raises(ConfigError, match=r"land\.yaml: library: this key is missing"):
        BmiColmLibrary().initialize(str(path))


def test_an_impossible_land_cover_names_the_cell(basin):
    with pytest.raises(ConfigError, match=r"land_cover: 18 is no IGBP class \(1-17\).*first at cell \(j=0, i=1\)"):
        started(basin, land_cover="18")


def test_a_texture_that_the_levels_cannot_hold_warns(basin):
    sand = "[" + ", ".join(str(10.0 + 5 * k) for k in range(10)) + "]"
    with pytest.warns(ReadinWarning, match=rf"in {MASK.sum()} columns, the first at cell \(j=0, i=1\)"):
        bmi = started(basin, "working_directory: run", soil_texture=f"{{sand: {sand}, clay: 20.0}}")
    table = np.loadtxt(basin / "run" / "block_0" / "CoLM_readin.dat")
    np.testing.assert_array_equal(table[0, 13:21], [50.0, 45.0, 40.0, 35.0, 30.0, 25.0, 20.0, 15.0])
    bmi.finalize()


def test_files_of_the_users_are_not_replaced(basin):
    (basin / "run" / "block_0").mkdir(parents=True)
    (basin / "run" / "block_0" / "CoLM_nlfile.nml").write_text("mine")
    with pytest.raises(ConfigError, match=r"working_directory: .*block_0/CoLM_nlfile\.nml would be replaced"):
        started(basin, "working_directory: run")
    assert (basin / "run" / "block_0" / "CoLM_nlfile.nml").read_text() == "mine"


def test_one_working_directory_serves_one_run_at_a_time(basin):
    first = started(basin, "working_directory: run")
    with pytest.raises(ConfigError, match=r"library\.working_directory: .*run: a CoLM run is under way there"):
        started(basin, "working_directory: run")
    advance(first, 1)
    first.finalize()
    again = started(basin, "working_directory: run")
    advance(again, 1)
    assert_same(outputs(again), expected(0))
    again.finalize()


def test_temporary_working_directories_are_removed(basin, tmp_path_factory, monkeypatch):
    temporary = tmp_path_factory.mktemp("tmp")
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    bmi = started(basin, "blocks: [2, 2]")
    assert len(list(temporary.iterdir())) == 1
    advance(bmi, 1)
    bmi.finalize()
    assert list(temporary.iterdir()) == []


# -------------------------------------------------------------------------------------- files of the user


def test_the_users_readin_is_handed_on_as_it_stands(basin):
    bmi = started(basin, "working_directory: made")
    bmi.finalize()
    lines = (basin / "made" / "block_0" / "CoLM_readin.dat").read_text().splitlines()
    own = iter(lines)
    whole = [next(own).replace(" 42 ", " 4.2D1 ") if m else " ".join(["-9999"] * NUMBERS) for m in MASK.ravel()]
    (basin / "CoLM_readin.dat").write_text("\n".join(whole) + "\n")
    bmi = started(basin, "readin: CoLM_readin.dat, working_directory: taken, blocks: [2, 1]")
    kept = [line.split() for rank in (0, 1) for line in (basin / "taken" / f"block_{rank}" / "CoLM_readin.dat").open()]
    assert sorted(kept) == sorted(line.split() for line, m in zip(whole, MASK.ravel(), strict=True) if m)
    assert str(basin / "CoLM_readin.dat") in bmi.provenance
    bmi.finalize()


def colm_file(folder: Path, cover: np.ndarray = COVER, shift: float = 0.0) -> None:
    rows = []
    for j in range(NY):
        for i in range(NX):
            texture = np.repeat([5.0, 42.0, 18.0, 125.0, 140.0], 8)
            rows.append([i + 1, j + 1, cover[j, i], LONGITUDE[j, i] + shift, LATITUDE[j, i], *texture])
    np.savetxt(folder / "CoLM_readin.dat", rows, fmt="%g")


def test_the_readin_may_not_contradict_the_configuration(basin):
    cover = COVER.copy()
    cover[1, 2] = 3
    colm_file(basin, cover)
    with pytest.raises(ConfigError, match=r"land cover 3 at cell \(j=1, i=2\), the configuration 10.*colm: CoLM_rea"):
        started(basin, "readin: CoLM_readin.dat")
    colm_file(basin)
    with pytest.raises(ConfigError, match=r"another sand than the configuration at cell \(j=0, i=1\)"):
        started(basin, "readin: CoLM_readin.dat", soil_texture="loam")
    colm_file(basin, shift=0.5)
    with pytest.warns(ReadinWarning, match=r"longitude differs by up to 0\.5 degrees"):
        bmi = started(basin, "readin: CoLM_readin.dat")
    bmi.finalize()


def test_both_land_components_take_cover_and_texture_from_a_readin(basin):
    colm_file(basin, np.where(np.isin(COVER, (11, 15, 17)), 10, COVER))
    replaced = {"land_cover": "{colm: CoLM_readin.dat}", "soil_texture": "{colm: CoLM_readin.dat}"}
    library = started(basin, "working_directory: run", **replaced)
    written = read_readin(basin / "run" / "block_0" / "CoLM_readin.dat", np.ones((1, MASK.sum()), dtype=bool))
    library.finalize()
    config = write_config(basin, **replaced)
    land = prepare(config)  # passes over `library:`
    np.testing.assert_array_equal(land.land_cover, written.land_cover)
    np.testing.assert_array_equal(land.texture.sand, np.full((MASK.sum(), 10), 42.0))
    columns = BmiColm()
    columns.initialize(str(config))
    assert str(basin / "CoLM_readin.dat") in columns.provenance
    columns.finalize()


def test_a_hot_start_continues_bit_for_bit(basin):
    whole = started(basin, "blocks: [2, 1]")
    advance(whole, 4)
    first = started(basin, "blocks: [2, 1], working_directory: first, restart_frequency: hourly")
    advance(first, 2)
    first.finalize()
    text = {"start": "2020-06-01T14:00"}
    second = started(basin, "blocks: [2, 1], working_directory: second, hot_start: first", **text)
    advance(second, 2, first=2)
    for name, values in outputs(whole).items():
        np.testing.assert_array_equal(outputs(second)[name], values, err_msg=name)
    second.finalize()
    whole.finalize()
    with pytest.raises(ConfigError, match="the earlier run had other cells in this block"):
        started(basin, "hot_start: first", **text)


def test_restart_files_of_one_folder_are_taken_too(basin):
    first = started(basin, "working_directory: first, restart_frequency: hourly")
    advance(first, 1)
    first.finalize()
    (basin / "files").mkdir()
    for name in ("CoLM.TimeInvariants.rst.0", "CoLM.TimeVariables.rst.0"):
        (basin / "first" / "block_0" / name).rename(basin / "files" / name)
    second = started(basin, "hot_start: files", start="2020-06-01T13:00")
    advance(second, 1, first=1)
    assert_same(outputs(second), expected(1))
    second.finalize()


def test_state_files_are_refused_with_the_way_to_go(basin, tmp_path):
    bmi = started(basin)
    with pytest.raises(BmiStateError, match=r"keeps its state to itself.*library\.restart_frequency"):
        bmi.save_state(tmp_path / "state.nc")
    with pytest.raises(BmiStateError, match=r"library\.hot_start"):
        bmi.load_state(tmp_path / "state.nc")
    bmi.finalize()


def test_provenance_lists_the_files_of_the_library_too(basin):
    bmi = started(basin)
    assert {Path(f).name for f in bmi.provenance} == {"land.yaml", "basin.nc", "libcolm.so"}
    bmi.finalize()


# ---------------------------------------------------------------------------------------- in a coupled run


GROUNDWATER = """
domain: domain.yaml
initial: {pressure_head: -1.0}
richards: {threads: 1}
"""


def test_one_line_swaps_it_for_the_other_land_component(basin):
    from click.testing import CliRunner

    from rootzone.bmi_run import main

    write_config(basin, "blocks: [2, 2]", forcing="{type: column, file: forcing.txt, start: 2020-06-01T12:00}",
                 land_cover="10")  # fmt: skip
    np.savetxt(basin / "forcing.txt", np.tile([500.0, 340.0, 1e-4, 291.0, 2.0, -1.0, 9.9e4, 0.009], (6, 1)))
    land = yaml.safe_load((basin / "land.yaml").read_text())
    domain = land["domain"] | {
        "conductivity": {"x": 0.02, "z": 0.02}, "slope": {"x": 0.01, "y": 0.01}, "manning": 0.05
    }  # fmt: skip
    (basin / "domain.yaml").write_text(yaml.safe_dump(domain))
    (basin / "groundwater.yaml").write_text(GROUNDWATER)
    head, saturation, source = names.PRESSURE_HEAD, names.SATURATION, names.NET_SOURCE
    run = {
        "time": {"start": "2020-06-01T12:00", "end": "2020-06-01T15:00", "step": "1h"},
        "components": {
            "land": {"class": "bmi_colm:BmiColm", "config": "land.yaml"},
            "groundwater": {"class": "bmi_richards:BmiRichards", "config": "groundwater.yaml"},
        },
        "order": ["land", "groundwater"],
        "exchanges": [
            {"from": f"groundwater.{head}", "to": f"land.{head}"},
            {"from": f"groundwater.{saturation}", "to": f"land.{saturation}"},
            {"from": f"land.{source}", "to": f"groundwater.{source}"},
        ],
        "output": [{"file": "hourly.nc", "every": "1h", "variables": [f"land.{names.LATENT_HEAT}"]}],
        "checks": {"water_balance": {"tolerance": 1.0e-6, "action": "stop"}},
    }
    (basin / "coupled.yaml").write_text(yaml.safe_dump(run, sort_keys=False))
    for arguments in ([], ["--set", "land.class=bmi_colm:BmiColmLibrary"]):
        output = basin / f"out_{len(arguments)}"
        result = CliRunner().invoke(main, [str(basin / "coupled.yaml"), *arguments, "--output", str(output)])
        assert result.exit_code == 0, result.output
    import xarray as xr

    with xr.open_dataset(basin / "out_2" / "hourly.nc") as data:
        latent = data["land_surface_air_heat_net_latent__energy_flux"].values[-1]
    np.testing.assert_allclose(latent[MASK], (50.0 + 10.0 + 1e-3 * (LONGITUDE + LATITUDE))[MASK], rtol=1e-6)
