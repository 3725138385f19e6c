"""The report of a basin: one page with its checks, the next commands and maps."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import jinja2
import matplotlib

from bmi_common.domain_checks import Finding
from rootzone.domain_builder.basin import Basin
from rootzone.domain_builder.config import BasinConfig
from rootzone.domain_builder.maps import draw_maps
from rootzone.figures.style import SIZES

_TEMPLATE = Path(__file__).with_name("report.html")
_DPI = 110


def write_report(
    config: BasinConfig,
    basin: Basin,
    findings: Sequence[Finding],
    commands: Sequence[str],
    path: Path,
    target: Path,
) -> None:
    """Write the page, which needs no other file."""
    grid = basin.grid
    with matplotlib.rc_context(SIZES):
        shown = []
        for drawn in draw_maps(basin):
            picture = io.BytesIO()
            drawn.figure.savefig(picture, format="png", dpi=_DPI)
            data = base64.b64encode(picture.getvalue()).decode("ascii")
            shown.append({"caption": drawn.caption, "data": data})
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    page = environment.from_string(_TEMPLATE.read_text(encoding="utf-8")).render(
        title=config.title or target.resolve().name,
        grid=f"{grid.nx} x {grid.ny} cells of {grid.dx:g} m, {len(basin.dz)} layers; {grid.crs.name}",
        findings=findings,
        commands=commands,
        maps=shown,
        version=version("rootzone"),
    )
    path.write_text(page, encoding="utf-8")
