"""Columns, basins and networks for the tests of the structured surrogate."""

from types import SimpleNamespace
from typing import Any, Literal

import numpy as np
import torch
from hypothesis import strategies as st
from richards_domains import Floats, hydrostatic, make_domain
from torch import Tensor

from bmi_common.partition import Part
from bmi_richards.options import SolverConfig
from bmi_richards.solver import RichardsSolver
from bmi_surrogate import StructuredArchitecture, StructuredCheckpoint, StructuredModel
from bmi_surrogate.structured import ColumnProperties
from bmi_surrogate.structured.column_solve import lateral_gain, layer_water, overland_inflow
from bmi_surrogate.structured.columns import FIELDS

LAYERS = [20.0, 1.1, 0.9, 0.55, 0.34, 0.2, 0.12, 0.075, 0.045, 0.028, 0.0175]
seeds = st.integers(0, 2**32 - 1)


def columns_of(domain: SimpleNamespace, part: Part | None = None) -> ColumnProperties:
    """Soil and terrain of a domain of the solver's tests, or of a part's window."""
    ny, nx = domain.mask.shape
    mask = domain.mask if part is None else domain.mask | part.halo
    fields = {name: torch.from_numpy(getattr(domain, name)).reshape(1, -1, ny, nx) for name in FIELDS}
    return ColumnProperties.of_maps(
        torch.from_numpy(mask)[None],
        fields,
        domain.dz.tolist(),
        (domain.dx, domain.dy),
        domain.slope_formulation,
        part,
    )


def packed(columns: ColumnProperties, field: Floats) -> Tensor:
    """Pack one map (layers, ny, nx)."""
    return columns.pack(torch.from_numpy(np.ascontiguousarray(field, dtype=float))[None])


def maps(columns: ColumnProperties, packed: Tensor) -> Floats:
    """Unpack one map; NaN where inactive."""
    field: Floats = columns.unpack(packed, float("nan"))[0].numpy()
    return field


def random_head(random: np.random.Generator, domain: SimpleNamespace) -> Floats:
    """Water tables from a metre above ground to far below; some columns with noise, some very dry at the top."""
    depth = np.where(random.random(domain.mask.shape) < 0.3, random.uniform(-0.3, 0.02, domain.mask.shape), 0.0)
    depth = np.where(depth == 0.0, 10.0 ** random.uniform(-1.5, 1.0, domain.mask.shape), depth)
    head = hydrostatic(domain, domain.dz.sum() - depth)
    noise = np.where(random.random(domain.mask.shape) < 0.5, 0.05, 0.0)
    head = head + noise * random.normal(size=head.shape)
    dry = random.random(domain.mask.shape) < 0.2
    head[-1] = np.where(dry & (head[-1] < 0.0), -(10.0 ** random.uniform(0.0, 2.5, domain.mask.shape)), head[-1])
    return head


def random_source(random: np.random.Generator, domain: SimpleNamespace, layers: int | None = None) -> Floats:
    """Sources [h-1]: rain on some columns, roots that draw little on others."""
    layers = layers or domain.dz.size
    source = np.zeros((layers, *domain.mask.shape))
    rain = np.where(random.random(domain.mask.shape) < 0.6, 10.0 ** random.uniform(-4.5, -1.5, domain.mask.shape), 0.0)
    source[-1] = rain / domain.dz[-1]
    source[:-1] -= 2.0e-6 * random.random(source[:-1].shape)
    return source


def basin(ny: int = 6, nx: int = 7, **changes: Any) -> SimpleNamespace:
    """A tilted valley of the demonstration's layers and soils that differ from cell to cell; two cells take no part."""
    random = np.random.default_rng(3)
    shape = (len(LAYERS), ny, nx)
    _, x = np.mgrid[0:ny, 0:nx]
    middle = nx // 2
    mask = np.ones((ny, nx), dtype=bool)
    mask[-1, -1] = mask[-1, 0] = False
    conductivity = 10.0 ** random.uniform(-3.0, -1.3, shape)
    return make_domain(
        LAYERS,
        ny,
        nx,
        mask=mask,
        porosity=random.uniform(0.3, 0.5, shape),
        alpha=random.uniform(1.5, 3.5, shape),
        n=random.uniform(1.5, 2.5, shape),
        residual_saturation=random.uniform(0.05, 0.2, shape),
        conductivity_x=conductivity,
        conductivity_y=conductivity,
        conductivity_z=0.5 * conductivity,
        slope_x=np.where(x < middle, -0.03, 0.03) * random.uniform(0.5, 1.5, (ny, nx)),
        slope_y=0.01 * random.uniform(0.5, 1.5, (ny, nx)),
        **changes,
    )


def weather(hour: int, domain: SimpleNamespace, random: np.random.Generator) -> Floats:
    """Source [h-1] of the ten uppermost layers: a storm of 15 mm h-1 in hours 6 to 9, and a sunny day after it."""
    shape = domain.mask.shape
    source = np.zeros((10, *shape))
    if 6 <= hour < 10:
        source[-1] = 0.015 * random.uniform(0.5, 1.5, shape) / domain.dz[-1]
    else:
        sun = max(np.sin(2.0 * np.pi * (hour - 6.0) / 24.0), 0.0)
        source[:-1] = -2.0e-4 * sun / domain.dz[-10:-1, None, None] / 9.0 * random.uniform(0.5, 1.5, (9, *shape))
    return source


def solver_of(domain: SimpleNamespace, head: Floats, **options: Any) -> RichardsSolver:
    """The exact solver, with as many passes as it needs."""
    return RichardsSolver(domain, np.where(domain.mask, head, 0.0), SolverConfig(threads=1, **options))


def trained(
    layers: int | Literal["any"] = 11, seed: int = 0, size: float = 0.5, scale: float = 0.01, **architecture: Any
) -> StructuredModel:
    """Network of random weights, as strong as a trained one: not at the start, where it corrects nothing."""
    torch.manual_seed(seed)
    model = StructuredModel(StructuredArchitecture(layers, **({"hidden": (12, 9)} | architecture))).eval()
    torch.nn.init.normal_(model.correction.last.weight, std=size)
    torch.nn.init.normal_(model.correction.last.bias, std=size)
    model.scale.fill_(scale)
    return model


def structured_checkpoint(
    seed: int = 0, layers: list[float] | Literal["any"] = LAYERS, **architecture: Any
) -> StructuredCheckpoint:
    """Weights as `trained` makes them."""
    thickness = None if layers == "any" else tuple(layers)
    model = trained("any" if thickness is None else len(thickness), seed, **architecture)
    return StructuredCheckpoint(model, thickness, {"weights": f"random, seed {seed}"})


def imbalance(columns: ColumnProperties, before: Tensor, after: Tensor, source: Tensor) -> Tensor:
    """Water [m] that each column has at the end of an hour beyond what it had, got and gave away."""
    start, end = before[-1].clamp(min=0.0), after[-1].clamp(min=0.0)
    given = torch.zeros_like(before)
    given[-source.shape[0] :] = source * columns.dz[-source.shape[0] :]
    lateral = lateral_gain(columns, before, columns.retention.relative_permeability(before))
    return (
        layer_water(columns, after, columns.retention.saturation(after)).sum(dim=0)
        - layer_water(columns, before, columns.retention.saturation(before)).sum(dim=0)
        + (end - start)
        - (given + lateral).sum(dim=0)
        - overland_inflow(columns, end)
        + columns.conveyance_out * end ** (5.0 / 3.0)
    )
