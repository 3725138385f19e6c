"""The land component as a module of ngen: ``"python_type": "bmi_colm.ngen.Colm"``."""

from __future__ import annotations

from bmi_colm.bmi import BmiColm
from bmi_colm.forcing.config import ExternalForcing
from bmi_colm.variables import IRRIGATION_VARIABLES, SATURATED_GROUND
from bmi_common import State
from bmi_common.ngen import NgenRules


class Colm(NgenRules, BmiColm):
    """`BmiColm` under the rules of ngen; with ``forcing: external`` ngen supplies the forcing."""

    optional = frozenset(v.name for v in (*IRRIGATION_VARIABLES, SATURATED_GROUND))

    @property
    def forcing_is_read(self) -> bool:
        """Whether the configuration names files of forcing."""
        return self.state is not State.CREATED and not isinstance(self._prepared.config.forcing, ExternalForcing)
