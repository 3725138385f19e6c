"""A small basin of made-up physics, and trainings of it that last seconds."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from rich.console import Console
from training_stores import DZ, Floats

from bmi_common import Domain, DomainConfig
from bmi_common.progress import Progress
from bmi_surrogate.structured import StructuredArchitecture, StructuredModel
from bmi_surrogate.structured.emulator import StructuredEmulator
from bmi_surrogate.training.config import TrainConfig, load
from bmi_surrogate.training.distributed import Processes
from bmi_surrogate.training.store import HEAD, SOURCE, WETTING, Description, Segment, mask_hash
from bmi_surrogate.training.train import Trained, prepare_material
from bmi_surrogate.training.train import train as train_seeds
from bmi_surrogate.training.trainer import LOG, STATE, Material

NY, NX, HOURS, VALIDATION = 5, 6, 80, 12
OPTIONS: dict[str, Any] = {
    "structured": {"architecture": "structured", "hidden": [8], "refinements": 1},
    "predrnn": {
        "architecture": "predrnn",
        "hidden": 2,
        "cells": 1,
        "attention": "pool",
        "attention_heads": 1,
        "attention_dropout": 0.5,
    },
}


def domain_section() -> dict[str, Any]:
    return {
        "grid": {"nx": NX, "ny": NY, "dx": 500.0, "dy": 800.0},
        "layers": [float(v) for v in DZ],
        "mask": {"file": "mask.npz", "variable": "mask"},
        "porosity": 0.4,
        "van_genuchten": {"alpha": 2.0, "n": 1.8, "residual_saturation": 0.1},
        "conductivity": {"x": 0.02, "anisotropy": 0.5},
        "slope": {"x": 0.01, "y": -0.02},
        "manning": 0.04,
    }


def write_basin(folder: Path) -> Domain:
    """Mask and store of `HOURS` of heads that follow the sources, in `folder`."""
    mask = np.ones((NY, NX))
    mask[0, :2] = 0.0
    np.savez(folder / "mask.npz", mask=mask)
    domain = Domain.load(DomainConfig.model_validate(domain_section() | {"mask": mask_in(folder)}))
    write_physics(folder / "store", domain)
    return domain


def mask_in(folder: Path) -> dict[str, str]:
    return {"file": str(folder / "mask.npz"), "variable": "mask"}


def write_physics(folder: Path, domain: Domain) -> None:
    """Heads of a surrogate whose solves are repeated: what one with fewer can learn from."""
    random = np.random.default_rng(3)
    source = random.normal(0.0, 2e-3, (HOURS, domain.root_zone_layers, NY, NX))
    source[20:30, -3:] += 0.05
    physics = StructuredEmulator(StructuredModel(StructuredArchitecture(domain.nz, (), 3)), domain)
    depth = np.cumsum(domain.dz[::-1])[::-1] - 0.5 * domain.dz
    heads = [np.broadcast_to((depth - 2.0)[:, None, None], (domain.nz, NY, NX))]
    physics.start(np.asarray(heads[0], dtype=np.float64))
    heads += [physics.step(s) for s in source]
    write_store(folder, domain, np.stack(heads), source)


def write_store(folder: Path, domain: Domain, head: Floats, source: Floats) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / HEAD, np.where(domain.mask, head, 0.0))
    np.save(folder / SOURCE, np.where(domain.mask, source, 0.0).astype(np.float32))
    np.save(folder / WETTING, np.clip(source[:, -1].mean(axis=(1, 2)), 0.0, None))
    thickness = tuple(float(v) for v in domain.dz)
    segments = (Segment(len(source), None),)
    shape, mask = domain.subsurface.shape, mask_hash(domain.mask)
    Description(segments, thickness, shape, source.shape[1], mask, None, {}).write(folder)


def write_config(folder: Path, architecture: str = "structured", output: str = "out", **changes: Any) -> Path:
    """Ten iterations with a moving average of the weights and three stages."""
    content: dict[str, Any] = {
        "domain": domain_section(),
        "data": {"store": "store", "validation_hours": VALIDATION},
        "surrogate": OPTIONS[architecture],
        "sampling": {"tile": 4, "batch": 2},
        "optimiser": {"ema": 0.9, "clip_norm": 1.0},
        "stages": [
            {"iterations": 4, "hours": 1},
            {"iterations": 3, "hours": 3},
            {"iterations": 3, "hours": 4, "gradient_hours": 2},
        ],
        "validation": {"every": 4, "hours": 6},
        "output": output,
        "save_every": 3,
        "device": "cpu",
        **changes,
    }
    path = folder / f"{output}.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


def material_of(file: Path) -> tuple[TrainConfig, Material]:
    config = load(file)
    return config, prepare_material(config, Processes(), silent())


def silent() -> Progress:
    return Progress(Console(quiet=True), "")


def never() -> bool:
    return False


def after(iterations: int) -> Callable[[], bool]:
    """An interrupt that comes when so many iterations are done, as `Trainer.run` asks before each."""
    asked = iter(range(iterations))
    return lambda: next(asked, None) is None


def train(file: Path, interrupted: Callable[[], bool] = never) -> Trained:
    return train_seeds(material_of(file)[1], silent(), interrupted, file)


def state_of(output: Path, seed: int = 0) -> dict[str, Any]:
    """Content of a state but its times."""
    path = output / f"seed_{seed}" / STATE
    raw = path.read_bytes()
    content: dict[str, Any] = torch.load(io.BytesIO(raw[raw.index(b"PK\x03\x04") :]), weights_only=True)
    del content["seconds"]
    return content


def assert_same(a: Any, b: Any, at: str = "") -> None:
    """Equal to the last bit."""
    assert type(a) is type(b), at
    if isinstance(a, dict):
        assert a.keys() == b.keys(), at
        for key in a:
            assert_same(a[key], b[key], f"{at}.{key}")
    elif isinstance(a, list | tuple):
        assert len(a) == len(b), at
        for i, (x, y) in enumerate(zip(a, b, strict=True)):
            assert_same(x, y, f"{at}[{i}]")
    elif isinstance(a, torch.Tensor):
        assert torch.equal(a, b), at
    else:
        assert a == b, at


def log_of(output: Path, seed: int = 0) -> list[list[str]]:
    """Rows of a log but its times."""
    lines = (output / f"seed_{seed}" / LOG).read_text().splitlines()
    return [[v for i, v in enumerate(line.split(",")) if i != 1] for line in lines]


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
