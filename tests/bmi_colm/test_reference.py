"""Column physics against the published library (numbers only; see the README of the reference data).

The reference is touchy: rebuilt with other optimisation it differs from itself by up to 42 W m-2 in single hours, with
a Kling-Gupta efficiency of 0.999 over a year. In `humid` hour 0 is left out: its first albedo depends on uninitialised
memory there. In winter what counts is the median of members whose air differs by 1e-4 K.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from colm_reference import (
    FORCING,
    OUTPUTS,
    THICKNESS,
    Case,
    kling_gupta,
    load,
    rmse,
    run,
    stored_state,
    texture,
    variant_case,
)

from bmi_colm.columns import ColumnConfig
from bmi_colm.parameters import root_fraction
from bmi_colm.soil import solids
from bmi_colm.tables import vegetation_table

pytestmark = pytest.mark.reference

VARIANTS = ("ref", "stress0", "stress1", "stress1b", "beta0", "beta2", "ressat0", "wp10")


@pytest.fixture(scope="module")
def folder(reference: Path) -> Path:
    return reference / "colm"


@pytest.fixture(scope="module")
def humid(folder: Path) -> dict[str, dict[str, np.ndarray]]:
    """A whole year from a cold start: ours and the reference in the stored hours, and ours in all hours."""
    case = Case.load(folder, "humid")
    ours = run(case.model(), case.forcing, case.head, case.saturation)
    stored = load(folder / "humid_hourly.npz")
    hours = stored["hours"][1:]
    return {
        "ours": {name: values[hours] for name, values in ours.items()},
        "reference": {name: values[1:] for name, values in stored.items() if name != "windows"},
        "all": ours,
    }


def test_latent_heat_of_all_stored_hours(humid):
    ours, reference = humid["ours"]["eflx_lh"], humid["reference"]["eflx_lh"]
    for column in range(ours.shape[1]):
        assert kling_gupta(ours[:, column], reference[:, column]) > 0.99
        assert abs(np.mean(ours[:, column] - reference[:, column])) < 0.5


@pytest.mark.parametrize("window", range(4))
def test_latent_heat_of_each_window(humid, folder, window):
    first, end = load(folder / "humid_hourly.npz")["windows"][window]
    hours = humid["reference"]["hours"]
    inside = (hours >= first) & (hours < end)
    for column in range(18):
        ours = humid["ours"]["eflx_lh"][inside, column]
        reference = humid["reference"]["eflx_lh"][inside, column]
        assert abs(np.mean(ours - reference)) < 0.5
        if abs(reference.mean()) >= 10:
            assert kling_gupta(ours, reference) > 0.98
        else:
            # an efficiency means little around a mean near zero
            assert rmse(ours, reference) < max(1.0, 0.1 * reference.std())


@pytest.mark.parametrize(
    ("name", "efficiency", "largest_rmse"),
    [("eflx_sh", 0.99, 2.0), ("eflx_grnd", 0.98, 1.0), ("eflx_lwrad", 0.99, 1.0), ("t_g", 0.99, 0.1)],
)
def test_other_surface_fluxes(humid, name, efficiency, largest_rmse):
    ours, reference = humid["ours"][name], humid["reference"][name]
    for column in range(18):
        assert kling_gupta(ours[:, column], reference[:, column]) > efficiency
        assert rmse(ours[:, column], reference[:, column]) < largest_rmse


def test_soil_temperature(humid):
    # bounded by the resolution of the stored numbers (0.004 K) and by isolated deviating hours of the surface
    assert rmse(humid["ours"]["t_soi"], humid["reference"]["t_soi"]) < 0.03


def test_water_for_the_soil(humid):
    ours, reference = humid["ours"]["evap_trans"], humid["reference"]["evap_trans"]
    assert rmse(ours, reference) < 0.003 * reference.std()
    water = (ours * THICKNESS).sum(axis=2) / 3.6
    np.testing.assert_allclose(
        water, humid["ours"]["qflx_in"] - np.maximum(humid["ours"]["qflx_tveg"], 0.0), rtol=0, atol=1e-12
    )


def test_daily_means_of_the_year(humid, folder):
    daily = load(folder / "humid_daily.npz")["eflx_lh"]
    ours = humid["all"]["eflx_lh"][: 24 * len(daily)].reshape(-1, 24, 18).mean(axis=1)
    for column in range(18):
        assert kling_gupta(ours[:, column], daily[:, column]) > 0.99
        assert abs(np.mean(ours[:, column] - daily[:, column])) < 0.2


def test_radiation_follows_the_reference(folder):
    internals = load(folder / "humid_internals.npz")
    case = Case.load(folder, "humid")
    columns, hours = internals["cols"], slice(0, 96)
    names = {
        "cosine_zenith": "coszen",
        "albedo": "alb",
        "sunlit_absorption": "ssun",
        "shaded_absorption": "ssha",
        "longwave_gap": "thermk",
        "roughness_length": "z0m",
        "leaf_area": "lai",
        "evaporation_factor": "rss",
        "root_stress": "rstfacsun_out",
    }
    ours = run(
        case.model(columns=columns),
        case.forcing[hours],
        case.head[hours][:, columns],
        case.saturation[hours][:, columns],
        state=tuple(names),
    )
    for name, theirs in names.items():
        # stored with about 13 significant bits
        np.testing.assert_allclose(ours[name][1:], internals[theirs][hours][1:], rtol=2e-3, atol=2e-4, err_msg=name)


@pytest.mark.parametrize("hour", [2184, 4392, 6600])
def test_a_stored_state_continues_like_the_reference(folder, hour):
    case = Case.load(folder, "humid")
    state = stored_state(folder, "humid", hour)
    hours = slice(hour, hour + 6)
    model = case.model(start=case.start + timedelta(hours=hour), state=state)
    ours = run(model, case.forcing[hours], case.head[hours], case.saturation[hours])
    stored = load(folder / "humid_hourly.npz")
    first = int(np.flatnonzero(stored["hours"] == hour)[0])
    for name in ("eflx_lh", "eflx_sh", "eflx_grnd"):
        difference = np.abs(ours[name] - stored[name][first : first + 6])
        assert np.median(difference) < 0.02, name
        # the leaf iteration of single columns may end elsewhere
        assert np.quantile(difference, 0.9) < 0.2, name


@pytest.fixture(scope="module", params=["cold", "dry"])
def winter(request: pytest.FixtureRequest, folder: Path) -> dict[str, object]:
    """A whole year with snow and frozen ground from a cold start, in the stored hours; `ours` of all members."""
    stored = load(folder / f"{request.param}_hourly.npz")
    hours = stored["hours"]
    members = []
    for case in Case.load(folder, request.param).members():
        result = run(case.model(), case.forcing, case.head, case.saturation, state=("snow_water",))
        members.append({name: values[hours] for name, values in result.items()})
    return {
        "name": request.param,
        "windows": stored["windows"],
        "hours": hours,
        "ours": members,
        "reference": {name: values for name, values in stored.items() if name not in ("windows", "hours")},
    }


def efficiencies(winter: dict[str, object], name: str, hours: np.ndarray | slice = slice(None)) -> np.ndarray:
    """Kling-Gupta efficiency of each column, the median of the members."""
    reference = winter["reference"][name][hours]
    return np.median(
        [[kling_gupta(o, r) for o, r in zip(ours[name][hours].T, reference.T, strict=True)] for ours in winter["ours"]],
        axis=0,
    )


def test_heat_fluxes_with_snow_and_frozen_ground(winter):
    latent, sensible = efficiencies(winter, "eflx_lh"), efficiencies(winter, "eflx_sh")
    # rebuilt with other compiler options the reference itself has 0.990 (dry) in the worst column
    assert latent.min() > {"dry": 0.97, "cold": 0.99}[winter["name"]]
    assert np.median(latent) > 0.998
    assert sensible.min() > 0.95
    assert np.median(sensible) > 0.995


def test_the_very_first_hour(winter):
    for name in ("eflx_lh", "eflx_sh", "eflx_grnd"):
        assert rmse(winter["ours"][0][name][0], winter["reference"][name][0]) < 0.01, name


def test_the_first_snow_of_the_winter(winter):
    # with snow that counted before it lay, the worst column of `cold` had 0.991
    assert efficiencies(winter, "eflx_lh", winter["hours"] < 288).min() > 0.995


def test_latent_heat_of_each_winter_window(winter):
    failures = np.zeros((4, 18), dtype=int)
    for number, (first, end) in enumerate(winter["windows"]):
        inside = (winter["hours"] >= first) & (winter["hours"] < end)
        for column in range(18):
            reference = winter["reference"]["eflx_lh"][inside, column]
            for member in winter["ours"]:
                ours = member["eflx_lh"][inside, column]
                if abs(reference.mean()) >= 10:
                    failures[number, column] += kling_gupta(ours, reference) < 0.95
                else:
                    failures[number, column] += rmse(ours, reference) > max(1.0, 0.1 * reference.std())
    outside = np.argwhere(failures > len(winter["ours"]) // 2)
    # single hours: over thin, melting snow of the spring, and forest on dry sand in rain (184 against 252 W m-2)
    assert (outside[:, 0] == 2).all()
    assert len(outside) <= {"dry": 1, "cold": 3}[winter["name"]]


def test_a_whole_cold_record_keeps_its_ice_within_the_pores(folder):
    case = Case.load(folder, "cold")
    model = case.model(ColumnConfig())
    capacity = model.parameters.of_columns("porosity") * THICKNESS * 1000.0
    most = 0.0
    for hour, values in enumerate(case.forcing):
        model.step(dict(zip(FORCING, values, strict=True)), case.head[hour], case.saturation[hour])  # checks balances
        most = max(most, float((model.state.ice[:, 5:] / capacity).max()))
    assert hour == 7761
    assert 0.9 < most <= 1.0 + 1e-12


def test_snow_water_and_ground_temperature(winter):
    reference = winter["reference"]

    def errors(ours: str, theirs: str) -> np.ndarray:
        each = [np.sqrt(np.mean((member[ours] - reference[theirs]) ** 2, axis=0)) for member in winter["ours"]]
        return np.median(each, axis=0)

    assert (errors("snow_water", "swe") <= 0.01 * reference["swe"].max(axis=0)).all()
    assert (errors("t_g", "t_g") <= 0.25).all()
    assert np.sqrt(np.mean(errors("t_soi", "t_soi") ** 2)) < 0.03


@pytest.mark.parametrize(("case_name", "hour"), [("cold", 2184), ("cold", 4392), ("dry", 2184), ("dry", 6600)])
def test_a_stored_winter_state_continues_like_the_reference(folder, case_name, hour):
    case = Case.load(folder, case_name)
    state = stored_state(folder, case_name, hour)
    hours = slice(hour, hour + 288)
    model = case.model(start=case.start + timedelta(hours=hour), state=state)
    ours = run(model, case.forcing[hours], case.head[hours], case.saturation[hours])
    stored = load(folder / f"{case_name}_hourly.npz")
    first = int(np.flatnonzero(stored["hours"] == hour)[0])
    for name in ("eflx_lh", "eflx_sh", "eflx_grnd"):
        difference = np.abs(ours[name] - stored[name][first : first + 288])
        # most hours agree to the last stored digits; some leaf iterations end elsewhere
        assert np.median(difference) < 0.02, name
        assert np.quantile(difference, 0.9) < 1.0, name


@pytest.mark.parametrize("variant", VARIANTS)
def test_options_of_stress_and_evaporation(folder, variant):
    case, options, data = variant_case(folder, variant)
    ours = run(case.model(options), case.forcing, case.head, case.saturation)
    for column in range(6):
        assert kling_gupta(ours["eflx_lh"][1:, column], data[f"{variant}_eflx_lh"][1:, column]) > 0.99
        assert kling_gupta(ours["qflx_tot"][1:, column], data[f"{variant}_qflx_tot"][1:, column]) > 0.99


@pytest.mark.parametrize("case_name", ["humid", "cold", "dry"])
def test_soil_properties_from_texture(folder, case_name):
    inputs = load(folder / f"{case_name}_inputs.npz")
    ours = solids(texture(inputs))
    exact = {"heat_capacity": "csol", "organic": "vf_om", "sand": "vf_sand", "gravel": "vf_gravels"}
    for name, theirs in exact.items():
        np.testing.assert_allclose(getattr(ours, name), inputs[f"soil_{theirs}"], rtol=2e-5, err_msg=name)
    np.testing.assert_allclose(ours.kersten_beta, inputs["soil_ba_beta"])
    np.testing.assert_allclose(ours.conductivity_dry, inputs["soil_dkdry"], rtol=1e-5)
    # layers on an edge of the texture triangle fall into the neighbouring class of quartz content
    ratio = ours.conductivity_saturated / inputs["soil_dksatu"]
    assert np.mean(np.abs(ratio - 1) < 1e-5) > 0.9
    np.testing.assert_allclose(ratio, 1.0, atol=0.08)


def test_roots_follow_the_reference(folder):
    import json

    tables = json.loads((folder / "tables.json").read_text())
    for cover, vegetation in vegetation_table().items():
        ours = root_fraction(vegetation.root_depth_50, vegetation.root_exponent, THICKNESS)
        np.testing.assert_allclose(ours, tables["vegetation"]["rootfr"][cover - 1], rtol=2e-6)


def test_the_reference_stores_what_is_compared(folder):
    assert set(OUTPUTS) <= set(load(folder / "humid_hourly.npz"))
