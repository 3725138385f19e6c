"""The metadata from which pymt makes models: complete, valid, and of a case that runs."""

from __future__ import annotations

import importlib.metadata
import re
import string
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
import yaml
from parflow_cases import install
from pymt_cases import PLUGINS, PROJECT, ROOT, metadata_of, plugin, setup

from bmi_common import ConfigError
from bmi_common import groundwater as names
from bmi_common.config import read_yaml

GROUNDWATER = [name for name in PLUGINS if name != "Colm"]
INFO = {"summary", "url", "author", "email", "version", "license", "doi", "cite_as"}
SECTIONS = ("api", "info", "parameters", "run")


@pytest.fixture(params=sorted(PLUGINS))
def name(request: pytest.FixtureRequest) -> str:
    """Name of each model in pymt."""
    found: str = request.param
    return found


def folder_of(name: str) -> Path:
    """Folder of the model's metadata, as the class says."""
    return Path(plugin(name).METADATA)  # type: ignore[attr-defined]


def section(name: str, which: str) -> Any:
    """Content of one of the metadata files."""
    return yaml.safe_load((folder_of(name) / f"{which}.yaml").read_text())


def test_there_is_a_model_for_each_component() -> None:
    assert sorted(PLUGINS) == ["Colm", "Parflow", "ParflowSurrogate", "Richards"]


def test_installed_entry_points_are_those_of_the_project() -> None:
    found = {e.name: e.value for e in importlib.metadata.entry_points(group="pymt.plugins")}
    ours = {n: v for n, v in found.items() if n in PLUGINS}
    assert ours == PLUGINS, "the installed package is older than pyproject.toml: install it again"


def test_model_metadata_accepts_every_section_without_a_warning(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        meta = metadata_of(name)
    assert Path(meta.base) == folder_of(name)
    assert meta.name == name
    assert set(meta.meta) == set(SECTIONS)
    for which in SECTIONS:
        assert (folder_of(name) / f"{which}.yaml").is_file()


def test_api_names_model_package_and_configuration(name: str) -> None:
    api = section(name, "api")
    assert api["name"] == api["class"] == name
    assert api["package"] == plugin(name).__module__.split(".")[0]
    assert api["initialize_args"] == section(name, "run")["config_file"]["path"]


def test_info_has_the_keys_that_pymt_takes_and_no_other(name: str) -> None:
    info = section(name, "info")
    assert set(info) == INFO
    assert info["license"] == PROJECT["license"]
    assert info["author"] == PROJECT["authors"][0]["name"]
    assert len(info["summary"]) > 40


def test_info_stays_what_it_is_in_pymt(name: str) -> None:
    given, normed = section(name, "info"), metadata_of(name).info
    for key in INFO - {"author", "cite_as"}:
        assert normed[key] == given[key], key
    assert normed["authors"] == (given["author"],)
    assert list(normed["cite_as"]) == given["cite_as"]


def test_every_parameter_stands_in_the_template_and_every_brace_is_a_parameter(name: str) -> None:
    contents = section(name, "run")["config_file"]["contents"]
    fields = [field for _, field, _, _ in string.Formatter().parse(contents) if field is not None]
    assert set(fields) == set(section(name, "parameters"))
    for key, item in section(name, "parameters").items():
        assert item["description"], key
        assert "default" in item["value"], key


def test_staged_files_hold_nothing_that_the_template_engine_would_replace(name: str) -> None:
    for file in folder_of(name).iterdir():
        content = file.read_bytes()
        if file.suffix == ".yaml":
            assert not re.search(rb"\{[{%#]", content), file
        else:  # copied as it is; taken for text, it would be rendered and written anew
            assert b"\0" in content[:1024], file


def test_the_folder_is_small_and_needs_nothing_outside(name: str, tmp_path: Path) -> None:
    assert sum(f.stat().st_size for f in folder_of(name).iterdir()) < 200_000
    setup(name, tmp_path)
    for file in tmp_path.glob("*.yaml"):
        named = re.findall(r"[\w/.-]+\.(?:yaml|nc|safetensors)\b", file.read_text())
        for other in named:
            assert (tmp_path / other).is_file() or other == "train.yaml", f"{file.name} names {other}"


def test_the_basin_is_a_window_of_the_demo_basin_the_same_for_all() -> None:
    with xr.open_dataset(ROOT / "cfg/demo/domain.nc") as whole, xr.open_dataset(folder_of("Colm") / "basin.nc") as cut:
        rows, columns = slice(1, 1 + cut.sizes["y"]), slice(21, 21 + cut.sizes["x"])
        for variable in cut.data_vars:
            window = whole[variable].isel(y=rows, x=columns, missing_dims="ignore")
            np.testing.assert_allclose(cut[variable], window, rtol=1e-7, err_msg=str(variable))  # single precision
    for which in ("basin.nc", "domain.yaml"):
        assert len({(folder_of(n) / which).read_bytes() for n in PLUGINS}) == 1, which


def test_set_up_and_coupled_by_hand_it_steps(tmp_path: Path, groundwater: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARFLOW_DIR", str(install(tmp_path / "parflow").home))
    land, soil = plugin("Colm")(), plugin(groundwater)()
    land.initialize(str(setup("Colm", tmp_path / "land")))
    soil.initialize(str(setup(groundwater, tmp_path / "soil")))
    start = soil.get_value_ptr(names.PRESSURE_HEAD).copy()
    for step in (1, 2):
        for part, whole in (
            (names.ROOT_ZONE_HEAD, names.PRESSURE_HEAD),
            (names.ROOT_ZONE_SATURATION, names.SATURATION),
        ):
            np.testing.assert_array_equal(soil.get_value_ptr(part), soil.get_value_ptr(whole)[-land.get_grid_size(2) :])
            assert np.shares_memory(soil.get_value_ptr(part), soil.get_value_ptr(whole))
            land.set_value(whole, soil.get_value_ptr(part))
        land.update_until(step * 3600.0)
        soil.set_value(names.NET_SOURCE, land.get_value_ptr(names.NET_SOURCE))
        soil.update_until(step * 3600.0)
        soil.update_until(0.0)  # pymt asks for times that are past
    assert land.get_current_time() == soil.get_current_time() == 7200.0
    head = soil.values[names.PRESSURE_HEAD]
    assert soil.mask is not None
    assert np.isfinite(head[:, soil.mask]).all()
    assert not np.array_equal(head.ravel(), start, equal_nan=True)
    land.finalize()
    soil.finalize()


@pytest.fixture(params=GROUNDWATER)
def groundwater(request: pytest.FixtureRequest) -> str:
    """Name of each groundwater model in pymt."""
    found: str = request.param
    return found


def test_parameters_reach_the_component(tmp_path: Path) -> None:
    assert (
        read_yaml(setup("Richards", tmp_path / "a", mode="free_drainage")).data["richards"]["mode"] == "free_drainage"
    )
    land = plugin("Colm")()
    land.initialize(str(setup("Colm", tmp_path / "b", start="2019-10-03T00:00")))
    assert land.get_end_time() == 8 * 86400.0
    land.finalize()
    with pytest.raises(ConfigError, match=r"groundwater\.yaml.*richards\.mode"):
        plugin("Richards")().initialize(str(setup("Richards", tmp_path / "c", mode="upside down")))


def test_defaults_of_parameters_are_those_of_the_components(tmp_path: Path) -> None:
    given = read_yaml(setup("Colm", tmp_path)).data["reference_height"]
    from bmi_colm.columns import ReferenceHeight

    assert given == ReferenceHeight().model_dump(exclude={"below_canopy"})  # no number, which pymt needs


def test_gauges_are_points_in_pymt_and_unstructured_elsewhere(
    tmp_path: Path, groundwater: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARFLOW_DIR", str(install(tmp_path / "parflow").home))
    config = str(setup(groundwater, tmp_path / "case"))
    in_pymt = plugin(groundwater)
    for component, expected in ((in_pymt(), "points"), (in_pymt.__mro__[2](), "unstructured")):
        component.initialize(config)
        grid = component.get_var_grid(names.DISCHARGE)
        assert component.get_grid_type(grid) == expected
        assert component.get_grid_size(grid) == 1
        assert [component.get_grid_type(g) for g in range(4)][-1] == "scalar"
        component.finalize()


def test_the_small_case_can_be_made_again(tmp_path: Path) -> None:
    script = (ROOT / "cfg/demo/make_pymt_case.py").read_text()
    (tmp_path / "cfg/demo").mkdir(parents=True)
    for file in (ROOT / "cfg/demo").iterdir():
        if file.suffix in (".nc", ".yaml", ".safetensors"):
            (tmp_path / "cfg/demo" / file.name).symlink_to(file)
    for package in ("colm", "richards", "surrogate", "parflow"):
        (tmp_path / f"bmi_{package}").mkdir()
    (tmp_path / "cfg/demo/make_pymt_case.py").write_text(script)
    subprocess.run([sys.executable, str(tmp_path / "cfg/demo/make_pymt_case.py")], check=True)
    files = sorted(tmp_path.glob("bmi_*/pymt/*"))
    assert len(files) == 4 + 3 + 1 + 2  # basin, head, weather, the surrogate's two
    for made in files:
        kept = ROOT / made.relative_to(tmp_path)
        advice = f"{kept.relative_to(ROOT)}: run cfg/demo/make_pymt_case.py again"
        if made.suffix != ".nc":
            assert made.read_bytes() == kept.read_bytes(), advice
            continue
        with xr.open_dataset(made, decode_times=False) as a, xr.open_dataset(kept, decode_times=False) as b:
            assert a.identical(b), advice
