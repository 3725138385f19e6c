"""What the solver refuses, and how it fails."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from richards_domains import hydrostatic, make_domain

from bmi_common import ModelError
from bmi_common.groundwater_config import Mode
from bmi_richards.options import Convergence, Drainage, PermeabilityTable, SolverConfig
from bmi_richards.solver import RichardsSolver

LAYERS = [0.5, 0.3, 0.2]


def test_a_column_without_solution_stops_the_step_names_its_cell_and_keeps_the_state() -> None:
    domain = make_domain(LAYERS, 3, 4)
    head = hydrostatic(domain, 0.2)
    solver = RichardsSolver(domain, head, SolverConfig(mode=Mode.FREE_DRAINAGE, drainage=Drainage.PRESCRIBED))
    impossible = np.zeros((3, 4))
    impossible[1, 2] = 5.0  # m in an hour, out of 0.5 m of soil
    before = solver.head, solver.saturation, solver.storage
    with pytest.raises(ModelError, match=r"residual of \d\.\d+ m .* cell \(k=0, j=1, i=2\)") as caught:
        solver.step(np.zeros(head.shape), drainage=impossible)
    assert caught.value.cell is not None
    assert caught.value.cell[1:] == (1, 2)
    np.testing.assert_array_equal(solver.head, before[0])
    np.testing.assert_array_equal(solver.saturation, before[1])
    assert solver.storage == before[2]
    assert solver.step(np.zeros(head.shape), drainage=np.zeros((3, 4))).drainage == 0.0


def stiff_domain() -> tuple[SimpleNamespace, np.ndarray]:
    """Cells that lose five times what a lower head stores: K dt / (dx^2 Ss) = 5."""
    random = np.random.default_rng(1)
    stiff = {
        "dx": 100.0,
        "conductivity_x": 0.1,
        "conductivity_y": 0.1,
        "conductivity_z": 1e-6,
        "specific_storage": 2e-6,
    }
    domain = make_domain(LAYERS, 6, 6, **stiff)
    return domain, hydrostatic(domain, random.uniform(1.5, 2.5, size=(6, 6)))


def test_passes_that_do_not_converge_stop_the_step() -> None:
    domain, head = stiff_domain()
    solver = RichardsSolver(domain, head, SolverConfig(passes=Convergence(tolerance=1e-12, most=3)))
    with pytest.raises(ModelError, match="lateral groundwater flow has not converged: pass 3"):
        solver.step(np.zeros(head.shape))
    np.testing.assert_array_equal(solver.head, head)


def test_two_passes_that_are_not_enough_go_on_to_a_tolerance() -> None:
    domain, head = stiff_domain()
    two, converged = (RichardsSolver(domain, head, SolverConfig(passes=p)) for p in (2, Convergence(tolerance=1e-10)))
    balance = two.step(np.zeros(head.shape))
    converged.step(np.zeros(head.shape))
    assert balance.passes > 2
    assert abs(balance.residual) <= 1e-10 * balance.storage
    np.testing.assert_allclose(two.head, converged.head, rtol=0.0, atol=1e-5)


def test_a_tolerance_that_passes_do_not_reach_is_loosened(monkeypatch) -> None:
    domain, head = stiff_domain()
    unreachable, loose = Convergence(tolerance=1e-12, most=3), Convergence(tolerance=1e-5)
    converged = RichardsSolver(domain, head, SolverConfig(passes=Convergence(tolerance=1e-10)))
    converged.step(np.zeros(head.shape))
    monkeypatch.setattr("bmi_richards.solver._TOLERANCES", (unreachable, loose))
    solver = RichardsSolver(domain, head, SolverConfig())
    balance = solver.step(np.zeros(head.shape))
    assert abs(balance.residual) <= 1e-10 * balance.storage
    np.testing.assert_allclose(solver.head, converged.head, rtol=0.0, atol=1e-4)
    monkeypatch.setattr("bmi_richards.solver._TOLERANCES", (unreachable,))
    with pytest.raises(ModelError, match="has not converged"):
        RichardsSolver(domain, head, SolverConfig()).step(np.zeros(head.shape))


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("porosity", 0.0, r"porosity is 0 in cell \(k, j, i\) = \(1, 0, 1\): it must be above 0"),
        ("n", 1.0, "n is 1 .* must be above 1"),
        ("alpha", -1.0, "alpha is -1 .* must be above 0"),
        ("conductivity_z", -0.1, "conductivity_z is -0.1 .* must be at least 0"),
        ("conductivity_x", np.nan, "conductivity_x is nan"),
        ("maximum_saturation", 0.05, "maximum_saturation must be above residual_saturation"),
    ],
)
def test_unusable_properties_are_refused_with_their_cell(name: str, value: float, message: str) -> None:
    domain = make_domain(LAYERS, 2, 2)
    getattr(domain, name)[1, 0, 1] = value
    with pytest.raises(ValueError, match=message):
        RichardsSolver(domain, hydrostatic(domain, 0.5))


def test_properties_outside_the_mask_do_not_matter() -> None:
    mask = np.array([[True, True], [True, False]])
    domain = make_domain(LAYERS, 2, 2, mask=mask, slope_x=0.01)
    for name in ("porosity", "alpha", "conductivity_x", "slope_x", "manning"):
        getattr(domain, name)[..., 1, 1] = np.nan
    head = hydrostatic(domain, 0.5).copy()
    head[:, 1, 1] = np.nan
    solver = RichardsSolver(domain, head)
    source = np.zeros(head.shape)
    source[-1] = 0.02 / 0.2
    source[:, 1, 1] = np.nan
    balance = solver.step(source)
    assert balance.source == pytest.approx(0.02 * 3e6)
    assert np.isnan(solver.head[:, 1, 1]).all()
    assert np.isfinite(solver.head[:, mask]).all()
    assert np.isnan(solver.ponding[1, 1])
    assert np.isnan(solver.outflow[1, 1])


def test_missing_properties_are_named() -> None:
    domain = make_domain(LAYERS)
    domain.manning = None
    with pytest.raises(ValueError, match="manning is missing"):
        RichardsSolver(domain, hydrostatic(domain, 0.5))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"source": np.zeros((2, 1, 1))}, r"source has shape \(2, 1, 1\)"),
        ({"source": np.full((3, 1, 1), np.nan)}, r"source is nan in cell \(k, j, i\) = \(0, 0, 0\)"),
        ({"source": np.zeros((3, 1, 1)), "dt": 0.0}, "dt must be above 0 h"),
        ({"source": np.zeros((3, 1, 1)), "drainage": np.zeros((1, 1))}, "do not prescribe drainage"),
    ],
)
def test_unusable_arguments_of_a_step_are_refused(arguments: dict[str, Any], message: str) -> None:
    domain = make_domain(LAYERS)
    solver = RichardsSolver(domain, hydrostatic(domain, 0.5))
    with pytest.raises(ValueError, match=message):
        solver.step(**arguments)


def test_prescribed_drainage_must_be_given() -> None:
    domain = make_domain(LAYERS)
    options = SolverConfig(mode=Mode.FREE_DRAINAGE, drainage=Drainage.PRESCRIBED)
    with pytest.raises(ValueError, match="needs the argument `drainage`"):
        RichardsSolver(domain, hydrostatic(domain, 0.5), options).step(np.zeros((3, 1, 1)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"passes": 0}, "passes"),
        ({"passes": {"most": 2, "tolerance": 1e-6}}, "passes(.|\\n)*equal to 3"),
        ({"tolerance": 0.0}, "tolerance"),
        ({"passes": {"tolerance": -1.0}}, "passes(.|\\n)*greater than 0"),
        ({"floor_head": 1.0}, "floor_head"),
        ({"threads": 0}, "threads"),
    ],
)
def test_unusable_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SolverConfig(**options)


def test_unusable_tables_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 2 points"):
        PermeabilityTable(1, -10.0)
    with pytest.raises(ValueError, match="below 0 m"):
        PermeabilityTable(10, 0.0)
