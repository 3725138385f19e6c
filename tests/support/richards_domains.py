"""Domains for the tests of the Richards solver."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bmi_common.fields import read_pfb
from bmi_common.slopes import SlopeFormulation

Floats = NDArray[np.float64]


def make_domain(
    dz: ArrayLike,
    ny: int = 1,
    nx: int = 1,
    dx: float = 1000.0,
    slope_formulation: SlopeFormulation = SlopeFormulation.UPWIND,
    **changes: Any,
) -> SimpleNamespace:
    """Sandy loam on flat ground; any property may be replaced, by a number, a value per layer, or a field."""
    thickness = np.asarray(dz, dtype=float)
    shape = (thickness.size, ny, nx)
    values: dict[str, Any] = {
        "porosity": 0.4,
        "alpha": 2.0,
        "n": 2.2,
        "residual_saturation": 0.1,
        "maximum_saturation": 1.0,
        "conductivity_x": 0.02,
        "conductivity_y": 0.02,
        "conductivity_z": 0.02,
        "specific_storage": 1e-4,
        "slope_x": 0.0,
        "slope_y": 0.0,
        "manning": 0.05,
        "mask": True,
    } | changes
    fields = {}
    for name, value in values.items():
        array = np.asarray(value)
        if array.ndim == 1:
            array = array[:, np.newaxis, np.newaxis]
        surface = name in ("slope_x", "slope_y", "manning", "mask", "top_layer")
        fields[name] = np.array(np.broadcast_to(array, shape[1:] if surface else shape))
    optional = ("relative_permeability_alpha", "relative_permeability_n", "top_layer")
    own = {name: fields.pop(name, None) for name in optional}
    return SimpleNamespace(dx=dx, dy=dx, dz=thickness, slope_formulation=slope_formulation, **fields, **own)


def hydrostatic(domain: SimpleNamespace, height: ArrayLike) -> Floats:
    """Pressure head at rest below a water table at a height [m] (ny, nx) above the bottom."""
    centres = np.cumsum(domain.dz) - 0.5 * domain.dz
    head: Floats = np.broadcast_to(np.asarray(height), domain.mask.shape) - centres[:, np.newaxis, np.newaxis]
    return head


def random_domain(random: np.random.Generator, ny: int = 5, nx: int = 6, nz: int = 6) -> SimpleNamespace:
    """A kilometre grid of random relief, layers and materials, with a ragged mask."""
    shape = (nz, ny, nx)
    relief = random.normal(0.0, 50.0, size=(ny + 1, nx + 1))
    mask = random.random((ny, nx)) < 0.9
    mask[0, 0] = True
    dz = 10.0 ** random.uniform(-1.7, 0.0, nz)
    dz[0] = 10.0 ** random.uniform(0.0, 2.0)
    conductivity = 10.0 ** random.uniform(-5.0, -1.0, size=shape)
    return make_domain(
        dz,
        ny,
        nx,
        mask=mask,
        porosity=random.uniform(0.1, 0.5, size=shape),
        alpha=10.0 ** random.uniform(-0.4, 1.0, size=shape),
        n=random.uniform(1.2, 3.0, size=shape),
        residual_saturation=random.uniform(0.0, 0.2, size=shape),
        maximum_saturation=random.uniform(0.8, 1.0, size=shape),
        conductivity_x=conductivity,
        conductivity_y=conductivity,
        conductivity_z=conductivity * 10.0 ** random.uniform(-1.0, 0.0, size=shape),
        specific_storage=10.0 ** random.uniform(-5.0, -3.0, size=shape),
        slope_x=np.diff(relief, axis=1)[:ny] / 1000.0,
        slope_y=np.diff(relief, axis=0)[:, :nx] / 1000.0,
        manning=10.0 ** random.uniform(-2.0, -0.7, size=(ny, nx)),
    )


def valley_that_fills(dx: float) -> SimpleNamespace:
    """A valley of 14 by 12 cells whose water table comes to the ground where it starts 126 m above the bottom."""
    ny, nx = 14, 12
    across = (np.arange(nx) - 5.5) * dx
    return make_domain(
        [100.0, 20.0, 5.0, 1.0, 0.6, 0.3, 0.1],
        ny,
        nx,
        dx=dx,
        slope_x=np.broadcast_to(0.04 * np.tanh(across / 100.0), (ny, nx)),
        slope_y=0.004,
        conductivity_x=0.1,
        conductivity_y=0.1,
        conductivity_z=0.01,
        specific_storage=1e-4,
    )


def pearl_river(reference: Path) -> tuple[SimpleNamespace, Floats]:
    """The paper's whole domain, with its reconstructed conductivity, and its initial pressure head."""

    def field(name: str) -> Floats:
        return read_pfb(reference / "pearl_river" / f"{name}.pfb")

    inputs = np.load(reference / "surrogate" / "inputs.npz")
    porosity = field("unname_test.out.porosity")
    conductivity = inputs["statics"][:11].astype(np.float64)
    vertical = conductivity.copy()
    vertical[0] *= np.where(porosity[0] < 0.02, 1.0, 0.1)  # rock is anisotropic, but for the tightest class
    domain = SimpleNamespace(
        dx=961.72,
        dy=961.72,
        dz=inputs["dz"],
        mask=np.ones(porosity.shape[1:], dtype=bool),
        porosity=porosity,
        alpha=field("unname_test.out.alpha"),
        n=field("unname_test.out.n"),
        residual_saturation=field("unname_test.out.sres"),
        maximum_saturation=field("unname_test.out.ssat"),
        conductivity_x=conductivity,
        conductivity_y=conductivity,
        conductivity_z=vertical,
        specific_storage=np.full_like(porosity, 1e-4),
        slope_formulation=SlopeFormulation.UPWIND,
        top_layer=None,
        relative_permeability_alpha=None,
        relative_permeability_n=None,
        slope_x=field("unname.slopex")[0],
        slope_y=field("unname.slopey")[0],
        manning=field("unname.manning")[0] * 3600.0,
    )
    return domain, field("unname_test.out.press.00000")


def parflow_domain(file: Path) -> SimpleNamespace:
    """The domain of a reference run of ParFlow."""
    data = np.load(file)
    return SimpleNamespace(
        dx=float(data["dx"]),
        dy=float(data["dy"]),
        dz=data["dz"],
        mask=np.ones(data["slope_x"].shape, dtype=bool),
        porosity=data["porosity"],
        alpha=data["alpha"],
        n=data["n"],
        residual_saturation=data["sres"],
        maximum_saturation=data["ssat"],
        conductivity_x=data["kx"],
        conductivity_y=data["kx"],
        conductivity_z=data["kz"],
        specific_storage=np.full_like(data["alpha"], float(data["specific_storage"])),
        slope_formulation=SlopeFormulation.UPWIND,
        top_layer=None,
        relative_permeability_alpha=None,
        relative_permeability_n=None,
        slope_x=data["slope_x"],
        slope_y=data["slope_y"],
        manning=data["manning"] * 3600.0,
    )
