"""The YAML of the component: that of the land component, and a section ``library:``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from bmi_colm.columns import FrozenSoil, ReferenceHeight
from bmi_colm.config import LandConfig
from bmi_common import Config, ConfigError, ConfigPath, OutputPath

SNICAR_FILE = "snicar_par.dat"
_UNUSED = "unused"

_OBEYED = {
    *("start", "end", "domain", "land_cover", "soil_texture", "forcing", "lowest_head", "library"),
    *("evaporation_factor", "water_stress", "wilting_point", "field_capacity", "residual_saturation"),
    "threads",  # of the other land component; here the number of blocks says how many cores work
}
_ALWAYS: dict[str, tuple[Any, str]] = {
    "frozen_soil": (FrozenSoil.REFERENCE, "its own frozen soil (`reference`)"),
    "published_numerics": (True, "its own numerics (`true`)"),
    "reference_height": (ReferenceHeight(), "50 m for wind, 40 m for temperature and humidity"),
    "carbon_dioxide": (None, "its own table of carbon dioxide"),
    "initial": (None, "a cold start, or the restart files of `library.hot_start`"),
    "vegetation_table": (None, "its own vegetation parameters"),
    "soil_table": (None, "its own soil parameters"),
}
"""What a library does whatever the configuration says, as a value of the key and in words."""


class LibrarySection(Config):
    """The user's library and how to run it.

    Attributes
    ----------
    file : Path
        Shared library that exports ``clm_lsm_c``.
    blocks : (int, int)
        Blocks from west to east and from south to north; one process each.
    working_directory : Path, optional
        Folder for the files and logs of the blocks; a temporary one that is removed by default.
    readin : Path, optional
        ``CoLM_readin.dat`` of the whole grid to hand on; made from the configuration by default.
    snicar : Path, optional
        ``snicar_par.dat``; the word ``unused`` makes a table of zeros, for builds with SNICAR off. By default the
        file beside the library.
    hot_start : Path, optional
        Working directory of an earlier run, or a folder of restart files, to continue from.
    restart_frequency : str
        When the library writes its restart files.
    timeout : float
        Seconds after which a block that does not answer is given up.
    """

    file: ConfigPath
    blocks: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]] = (1, 1)
    working_directory: OutputPath | None = None
    readin: ConfigPath | None = None
    snicar: OutputPath | None = None
    hot_start: ConfigPath | None = None
    restart_frequency: Literal["none", "hourly", "daily", "monthly", "yearly"] = "none"
    timeout: Annotated[float, Field(gt=0)] = 600.0

    @model_validator(mode="after")
    def _restarts_have_a_place(self) -> LibrarySection:
        if self.restart_frequency != "none" and self.working_directory is None:
            raise ValueError("restart_frequency: restart files need a working_directory that stays")
        if self.hot_start is not None and self.hot_start.resolve() == self._resolved_directory():
            raise ValueError("hot_start: name another folder than working_directory, whose files are overwritten")
        return self

    def _resolved_directory(self) -> Path | None:
        return None if self.working_directory is None else self.working_directory.resolve()

    @model_validator(mode="after")
    def _snicar_is_there(self) -> LibrarySection:
        table = self.snicar_table
        if table is not None and not table.is_file():
            raise ValueError(
                f"snicar: no such file: {table}; CoLM reads this table of snow optics ({SNICAR_FILE}, 2728 lines of "
                "three numbers) at its start even if it does not use it; it comes with CoLM. If SNICAR is off in your "
                f"build, as in the published one, `snicar: {_UNUSED}` makes a table of zeros"
            )
        return self

    @property
    def snicar_table(self) -> Path | None:
        """The table to hand on; None for one of zeros."""
        if self.snicar is None:
            return self.file.parent / SNICAR_FILE
        return None if self.snicar.name == _UNUSED else self.snicar

    @property
    def files(self) -> tuple[Path, ...]:
        """Files that are read."""
        return tuple(f for f in (self.file, self.readin, self.snicar_table) if f is not None)


class LibraryConfig(LandConfig):
    """The whole file."""

    library: LibrarySection

    @model_validator(mode="after")
    def _refuse_what_a_library_cannot_do(self) -> LibraryConfig:
        for key in sorted(self.model_fields_set - _OBEYED):
            value, does = _ALWAYS.get(key, (None, "what its own build says"))
            if getattr(self, key) != value:
                raise ConfigError(
                    f"a CoLM library cannot be told this, it always uses {does}; leave the key out, "
                    "or use bmi_colm:BmiColm",
                    key=key,
                )
        return self
