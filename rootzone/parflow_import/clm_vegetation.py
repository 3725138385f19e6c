"""Parameters of ParFlow-CLM's vegetation classes (``drv_vegp.dat``) as the land component has them."""

from __future__ import annotations

from math import exp, log, sqrt
from pathlib import Path
from typing import Any, Final

from scipy.optimize import brentq

from bmi_common.errors import ConfigError
from rootzone.parflow_import.clm_files import fortran_number, read_lines

_CLASSES: Final = 17
"""Classes of IGBP; the eighteenth, bare soil, becomes one of them."""
_MISSING: Final = -90.0
"""Values below stand for none."""
_DISPLACEMENT: Final = 0.65
"""Displacement over height of the canopies that CLM's own table describes (17 m: 11 m, 35 m: 23 m, 20 m: 13 m)."""
_NUMBERS: Final = (
    *("lai", "lai0", "sai", "displa", "dleaf", "roota", "rootb", "xl"),
    *("rhol_vis", "rhol_nir", "taul_vis", "taul_nir", "rhos_vis", "rhos_nir", "taus_vis", "taus_nir"),
)


def read_vegetation(path: Path) -> dict[int, dict[str, Any]]:
    """Read a ``drv_vegp.dat`` as the ``vegetation:`` section of ``land.yaml``, by class.

    Leaf and stem area, optical properties, leaf angle and leaf size are taken as they are. The height of a canopy
    follows from its displacement. Roots, in CLM the share 1 - (exp(-a z) + exp(-b z))/2 above the depth z [m] (Zeng
    2001), become the curve of Schenk and Jackson (2002) that has the same depths of 50 and 95 % of the roots.

    Raises
    ------
    ConfigError
        If the file is missing, or a parameter has fewer values than there are classes.
    """
    table = _read_table(path)
    result: dict[int, dict[str, Any]] = {}
    for number in range(1, _CLASSES + 1):
        own = {name: values[number - 1] for name, values in table.items() if values[number - 1] > _MISSING}
        cover = _cover(own)
        if cover:
            result[number] = cover
    return result


def _read_table(path: Path) -> dict[str, list[float]]:
    table: dict[str, list[float]] = {}
    name = ""
    for number, line in enumerate(read_lines(path), 1):
        words = line.split()
        if not words or words[0].startswith("!"):
            continue
        if words[0] in _NUMBERS:
            name = words[0]
            table[name] = []
        elif name and len(table[name]) < _CLASSES:
            try:
                table[name] += [fortran_number(word) for word in words]
            except ValueError:
                if not words[0][:1].isalpha():
                    raise ConfigError(f"{path}:{number}: {name}: expected numbers, got {line.strip()!r}") from None
                name = ""  # another parameter, which is not taken over
        else:
            name = ""
    for parameter, values in table.items():
        if len(values) < _CLASSES:
            raise ConfigError(f"{path}: {parameter}: {len(values)} values, needs one for each of {_CLASSES} classes")
    return table


def _cover(own: dict[str, float]) -> dict[str, Any]:
    cover: dict[str, Any] = {}
    if own.get("displa", 0.0) > 0.0:
        cover["canopy_height"] = round(own["displa"] / _DISPLACEMENT, 3)
    if own.get("lai", 0.0) > 0.0 and "lai0" in own:
        cover["leaf_area"] = [own["lai0"], own["lai"]]
    if own.get("sai", 0.0) > 0.0:
        cover["stem_area"] = own["sai"]
    if "xl" in own:
        cover["leaf_angle"] = own["xl"]
    if own.get("dleaf", 0.0) > 0.0:
        cover["inverse_root_leaf_size"] = round(1.0 / sqrt(own["dleaf"]), 4)
    for part, letter in (("leaf", "l"), ("stem", "s")):
        names = [f"{kind}{letter}_{band}" for kind in ("rho", "tau") for band in ("vis", "nir")]
        if all(name in own for name in names):
            values = [own[name] for name in names]
            cover[part] = {"reflectance": values[:2], "transmittance": values[2:]}
    if own.get("roota", 0.0) > 0.0 and own.get("rootb", 0.0) > 0.0:
        half, most = (_depth_above_which(share, own["roota"], own["rootb"]) for share in (0.5, 0.95))
        cover["root_depth_50"] = round(100.0 * half, 2)
        cover["root_exponent"] = round(log(1.0 / 0.95 - 1.0) / log(most / half), 4)
    return cover


def _depth_above_which(share: float, a: float, b: float) -> float:
    """Depth [m] above which this share of CLM's roots is."""
    return float(brentq(lambda z: 1.0 - 0.5 * (exp(-a * z) + exp(-b * z)) - share, 0.0, 50.0 / min(a, b)))
