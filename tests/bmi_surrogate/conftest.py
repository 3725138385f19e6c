"""A small domain, a network of random weights, and the configuration of a run."""

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from surrogate_cases import LAYERS, NX, NY, make_checkpoint

from bmi_common import Domain, DomainConfig
from bmi_surrogate import PredRNNCheckpoint, save
from bmi_surrogate.predrnn import statics as static_channels
from bmi_surrogate.predrnn.normalisation import moments_of_statics


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    """A single tile has too little work for more, and waiting threads slow down a busy machine."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def domain_section(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """`domain:` of 18 x 21 cells on random relief."""
    random = np.random.default_rng(7)
    file = tmp_path_factory.mktemp("domain") / "fields.npz"
    np.savez(
        file,
        slope_x=random.normal(0.0, 0.05, (NY, NX)),
        slope_y=random.normal(0.0, 0.05, (NY, NX)),
        manning=random.uniform(0.02, 0.08, (NY, NX)),
        conductivity=10.0 ** random.uniform(-4, -1, (11, NY, NX)),
        porosity=random.uniform(0.3, 0.5, (11, NY, NX)),
    )

    def named(name: str) -> dict[str, str]:
        return {"file": str(file), "variable": name}

    return {
        "grid": {"nx": NX, "ny": NY, "dx": 1000.0, "dy": 800.0},
        "layers": LAYERS,
        "elevation": 250.0,
        "porosity": named("porosity"),
        "van_genuchten": {"alpha": 2.0, "n": 2.2, "residual_saturation": 0.1},
        "conductivity": {"x": named("conductivity"), "z": named("conductivity")},
        "slope": {"x": named("slope_x"), "y": named("slope_y")},
        "manning": named("manning"),
    }


@pytest.fixture(scope="session")
def domain(domain_section: dict[str, Any]) -> Domain:
    return Domain.load(DomainConfig.model_validate(domain_section))


@pytest.fixture(scope="session")
def checkpoint(domain: Domain) -> PredRNNCheckpoint:
    return make_checkpoint(moments_of_statics(static_channels.from_domain(domain)))


@pytest.fixture(scope="session")
def checkpoint_file(checkpoint: PredRNNCheckpoint, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(checkpoint, tmp_path_factory.mktemp("network") / "random")


@pytest.fixture
def configuration(domain_section: dict[str, Any], checkpoint_file: Path) -> dict[str, Any]:
    return {
        "domain": copy.deepcopy(domain_section),
        "initial": {"water_table_depth": 1.5},
        "surrogate": {"checkpoint": str(checkpoint_file), "device": "cpu", "threads": 1},
        "richards": {"mode": "another component's section is passed over"},
    }


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def to_file(content: dict[str, Any], name: str = "groundwater.yaml") -> str:
        file = tmp_path / name
        file.write_text(yaml.safe_dump(content, sort_keys=False))
        return str(file)

    return to_file
