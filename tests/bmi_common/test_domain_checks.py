"""What looks wrong about a domain is told, and a sound one is only described."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from richards_domains import make_domain

from bmi_common.domain import Domain, DomainConfig
from bmi_common.domain_checks import drained_area, examine, network_of, outlets_of
from bmi_common.flow_order import build_network


def domain(tmp_path: Path, **changes: Any) -> Domain:
    """A plane of 5 x 4 cells of 100 m that falls to the north-east, tight but in its north-eastern corner."""
    slope_x, slope_y = np.full((5, 4), -0.02), np.full((5, 4), -0.01)
    slope_x[:, -1] = 0.0
    slope_y[-1] = 0.0
    slope_y[-1, -1] = -0.01
    rows, columns = np.mgrid[0:5, 0:4]
    fields = {"slope_x": slope_x, "slope_y": slope_y, "elevation": 100.0 - 2.0 * columns - 1.0 * rows, **changes}
    np.savez(tmp_path / "fields.npz", **{name: values for name, values in fields.items() if np.ndim(values)})

    def field(name: str) -> dict[str, str]:
        return {"file": str(tmp_path / "fields.npz"), "variable": name}

    return Domain.load(
        DomainConfig.model_validate(
            {
                "grid": {"nx": 4, "ny": 5, "dx": 100.0, "dy": 100.0},
                "layers": [2.0, 1.0, 0.5, 0.2],
                "porosity": 0.4,
                "van_genuchten": {"alpha": 1.0, "n": 2.0, "residual_saturation": 0.1},
                "conductivity": {"x": fields.get("conductivity", 0.01), "anisotropy": 1.0},
                "slope": {"x": field("slope_x"), "y": field("slope_y")},
                "elevation": field("elevation"),
                "manning": 0.05,
            }
        )
    )


def doubts(made: Domain) -> list[str]:
    return [finding.text for finding in examine(made) if finding.doubtful]


def test_a_sound_domain_is_described(tmp_path):
    said = "\n".join(map(str, examine(domain(tmp_path))))
    assert "20 of 20 columns, 0.2 km2; 4 layers, 3.7 m" in said
    assert "1 outlet over the ground: cell (j=4, i=3) 0.2 km2" in said
    assert doubts(domain(tmp_path)) == []


def test_a_western_rim_that_rises_inwards_leaks(tmp_path):
    slope_x = np.full((5, 4), 0.02)
    slope_x[:, -1] = 0.0
    said = doubts(domain(tmp_path, slope_x=slope_x))
    assert any("faces slope against the elevation" in text for text in said)
    outlets = outlets_of(network_of(domain(tmp_path, slope_x=slope_x)), 1.0e4)
    assert len(outlets.cells) == 6
    assert outlets.areas.sum() == pytest.approx(20.0e4)


def test_pits_and_circles_are_found(tmp_path):
    flat = np.zeros((5, 4))
    assert "20 pits, whose water stays: 100 %" in doubts(domain(tmp_path, slope_x=flat, slope_y=flat))[1]
    slope_x, slope_y = flat.copy(), flat.copy()
    slope_x[1, 1], slope_x[2, 1] = -0.1, 0.1
    slope_y[1, 1], slope_y[1, 2] = 0.1, -0.1
    assert any(
        "goes in circles in 1 places" in text for text in doubts(domain(tmp_path, slope_x=slope_x, slope_y=slope_y))
    )


@pytest.mark.parametrize(
    ("conductivity", "text"), [(3.0e-6, "one of m s-1"), (25.0, "one of cm d-1"), ([0.01, 0.01, 20.0, 0.01], "layer 2")]
)
def test_slips_of_units_are_named(tmp_path, conductivity, text):
    made = domain(tmp_path, conductivity=conductivity)
    assert len([t for t in doubts(made) if text in t]) == 1


def test_drained_areas_add_up_to_what_flows_out():
    random = np.random.default_rng(4)
    ground = random.random((9, 8)).cumsum(axis=0)
    slope_x, slope_y = np.zeros((9, 8)), np.zeros((9, 8))
    slope_x[:, :-1], slope_y[:-1] = np.diff(ground, axis=1), np.diff(ground, axis=0)
    made = make_domain([1.0], 9, 8)
    network = build_network(made.mask, slope_x, slope_y, made.manning, 10.0, 10.0)
    area = drained_area(network, 100.0)
    stays = area[network.outflow == 0.0].sum()
    assert stays + outlets_of(network, 100.0).areas.sum() == pytest.approx(72 * 100.0)
