"""The water balance of a run in words, a line a term."""

from __future__ import annotations

from collections.abc import Iterator

from coupler.run import Summary

_TERMS = {
    "source": "from the land, less what it took",
    "prescribed_source": "from prescribed sources",
    "surface_flux": "from a prescribed flux into the ground",
    "boundary_inflow": "over sides, bottom and held heads",
    "injection": "from wells that inject",
    "unmet_demand": "demand of the land that was not met",
    "correction": "put in by error control",
    "storage_change": "kept in ground and ponds",
    "outflow": "left over land",
    "drainage": "left through the bottom",
    "seepage": "left through seepage faces",
    "extraction": "left through wells",
    "irrigation": "given to the land for irrigation",
    "unmet_extraction": "asked of wells and not given",
}
"""Terms of `Balance` as a person reads them: what comes, what stays, what goes."""
_ALWAYS = ("source", "storage_change", "outflow")


def balance_lines(summary: Summary) -> Iterator[str]:
    """Say where the water of a run came from and went to [m3]; terms that are 0 are left out but for three."""
    totals = summary.totals
    if totals is None:
        return
    yield "water balance [m3]:"
    for name, title in _TERMS.items():
        value = getattr(totals, name)
        if value or name in _ALWAYS:
            yield f"  {title:38s} {value:14.6g}"
    yield f"  {summary.water_error}; worst step {summary.worst_residual:.2g} of its turnover"
