"""Stand-ins until the shared base is there."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict


class ConfigError(ValueError):
    """A mistake of the user's, found before anything is computed."""


class Config(BaseModel):
    """Base of all configuration models: unknown keys are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


ConfigPath = Path
