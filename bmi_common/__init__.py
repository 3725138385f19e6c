"""What every component shares: BMI base class, grids, variables, domain, fields, van Genuchten, water table."""

from bmi_common import grids, units, van_genuchten, water_table
from bmi_common.bmi_base import DeclaredBmi, Setup, State
from bmi_common.config import Config, ConfigPath, OutputPath, load_config
from bmi_common.domain import Domain, DomainConfig, DomainField
from bmi_common.errors import BmiStateError, ConfigError, ModelError, RootzoneError, UnknownNameError
from bmi_common.fields import FieldConfig
from bmi_common.variables import Role, Variable

__all__ = [
    "BmiStateError",
    "Config",
    "ConfigError",
    "ConfigPath",
    "DeclaredBmi",
    "Domain",
    "DomainConfig",
    "DomainField",
    "FieldConfig",
    "ModelError",
    "OutputPath",
    "Role",
    "RootzoneError",
    "Setup",
    "State",
    "UnknownNameError",
    "Variable",
    "grids",
    "load_config",
    "units",
    "van_genuchten",
    "water_table",
]
