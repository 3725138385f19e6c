"""The YAML of a training: data, surrogate, sampling, optimiser, rollouts, validation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from bmi_common import Config, ConfigError, DomainField, load_config
from bmi_common.config import ConfigPath, OutputPath, Threads
from bmi_surrogate.training.predrnn_task import PredRNNConfig, PredRNNTask
from bmi_surrogate.training.prepare import DataConfig
from bmi_surrogate.training.sampling import SamplingConfig
from bmi_surrogate.training.schedule import OptimiserConfig
from bmi_surrogate.training.structured_task import StructuredConfig, StructuredTask
from bmi_surrogate.training.task import Rollout, Task


class Stage(Config):
    """Some iterations with the same rollout.

    Attributes
    ----------
    iterations : int
        How many.
    hours, gradient_hours : int
        As in `bmi_surrogate.training.task.Rollout`; the latter not more than the former.
    """

    iterations: Annotated[int, Field(ge=1)]
    hours: Annotated[int, Field(ge=1)] = 120
    gradient_hours: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _within(self) -> Stage:
        if self.gradient_hours is not None and self.gradient_hours > self.hours:
            raise ValueError(
                f"gradient_hours: {self.gradient_hours} are more than the {self.hours} hours of the rollout"
            )
        return self

    @property
    def rollout(self) -> Rollout:
        """Rollout of the stage."""
        return Rollout(self.hours, self.gradient_hours)


class ValidationConfig(Config):
    """How weights are judged while they are trained, on the hours that `data` keeps for validation.

    The module runs freely over the whole domain, from the head at the start of the first stretch of validation that is
    long enough. That happens before the first iteration, so that a training that does not help keeps the untrained
    weights, then after `every` iterations, and after the last one. The weights of the least score are kept.

    Attributes
    ----------
    every : int
        Iterations between two validations.
    hours : int or None
        Length of the rollout over the whole domain, from the first hour of validation; None for all of them.
    score : {"water_table", "head"}
        What the best weights have least of: mean absolute error of water table depth, or root mean square error of
        pressure head, over all columns and hours [m].
    """

    every: Annotated[int, Field(ge=1)] = 1000
    hours: Annotated[int, Field(ge=1)] | None = None
    score: Literal["water_table", "head"] = "water_table"


class BasinConfig(Config):
    """One of several basins to train on.

    Attributes
    ----------
    domain : DomainConfig
        Domain of the training data.
    data : DataConfig
        Which runs of physics, and where they are prepared.
    """

    domain: DomainField
    data: DataConfig


class TrainConfig(Config):
    """The whole file.

    Attributes
    ----------
    domain, data
        As in `BasinConfig`: the only basin.
    basins : list of BasinConfig
        Several basins in its place, which give the batches in turn. Weights are judged by the geometric mean of their
        errors.
    surrogate : StructuredConfig or PredRNNConfig
        Architecture and loss, by the key ``architecture``.
    sampling : SamplingConfig
        Tiles and windows of a batch.
    optimiser : OptimiserConfig
        AdamW and its schedule.
    stages : list of Stage
        Course of the rollouts; their iterations add up to the training.
    validation : ValidationConfig
        How weights are judged.
    start_from : Path or None
        Weights of an earlier training to begin with, of the same architecture; None for untrained ones.
    seeds : list of int
        One training each; the best is kept.
    ensemble : bool
        Keep every seed's best weights too.
    output : Path
        Folder of weights, logs and the state to resume from.
    save_every : int
        Iterations between two states to resume from.
    device : str
        ``"auto"`` (CUDA where there is a device, otherwise CPU) or a name that PyTorch knows.
    threads : int or None
        Threads on a CPU; None for PyTorch's choice.
    compile : bool
        Compile the step; PredRNN only.
    mixed_precision : bool
        bfloat16 where it is safe; refused on other devices than CUDA.
    """

    domain: DomainField | None = None
    data: DataConfig | None = None
    basins: Annotated[list[BasinConfig], Field(min_length=1)] | None = None
    surrogate: Annotated[StructuredConfig | PredRNNConfig, Field(discriminator="architecture")]
    sampling: SamplingConfig = SamplingConfig()
    optimiser: OptimiserConfig = OptimiserConfig()
    stages: Annotated[list[Stage], Field(min_length=1), BeforeValidator(lambda v: [v] if isinstance(v, dict) else v)]
    validation: ValidationConfig = ValidationConfig()
    start_from: ConfigPath | None = None
    seeds: Annotated[list[Annotated[int, Field(ge=0, lt=2**32)]], Field(min_length=1)] = [0]
    ensemble: bool = False
    output: OutputPath
    save_every: Annotated[int, Field(ge=1)] = 500
    device: str = "auto"
    threads: Threads | None = None
    compile: bool = False
    mixed_precision: bool = False

    @model_validator(mode="after")
    def _possible(self) -> TrainConfig:
        if len(set(self.seeds)) != len(self.seeds):
            raise ConfigError(f"each must stand once, got {self.seeds}", key="seeds")
        if self.compile and isinstance(self.surrogate, StructuredConfig):
            raise ConfigError(
                "is not possible with the structured surrogate, whose search has no fixed length", key="compile"
            )
        if self.start_from is not None and self.start_from.resolve().is_relative_to(self.output.resolve()):
            raise ConfigError(
                "lies in `output`, whose weights this training replaces; choose another", key="start_from"
            )
        stores: dict[Path, str] = {}
        for key, basin in zip(self._keys_of_data(), self.of_basins(), strict=True):
            other = stores.setdefault(basin.data.store.resolve(), key)
            if other != key:
                raise ConfigError(f"is that of {other}; each basin has its own", key=f"{key}.store")
            hours = basin.data.validation_hours
            if hours < 1:
                raise ConfigError(
                    "a training needs hours that judge it; give at least 1", key=f"{key}.validation_hours"
                )
            if self.validation.hours is not None and self.validation.hours > hours:
                raise ConfigError(
                    f"{self.validation.hours} are more than {key}.validation_hours, {hours}", key="validation.hours"
                )
        return self

    def _keys_of_data(self) -> list[str]:
        return ["data"] if self.basins is None else [f"basins.{number}.data" for number in range(len(self.basins))]

    def of_basins(self) -> list[BasinConfig]:
        """Basins to train on, one or several.

        Raises
        ------
        ConfigError
            If the file has neither `domain` and `data` nor `basins`, or both.
        """
        own = {"domain": self.domain, "data": self.data}
        for key, value in own.items():
            if value is None and self.basins is None:
                raise ConfigError("this key is missing", key=key)
            if value is not None and self.basins is not None:
                raise ConfigError("stands beside `basins`, each of which has its own; remove it", key=key)
        return self.basins or [BasinConfig.model_construct(domain=self.domain, data=self.data)]

    @property
    def iterations(self) -> int:
        """Iterations of all stages."""
        return sum(stage.iterations for stage in self.stages)

    def rollout(self, iteration: int) -> Rollout:
        """Rollout of an iteration, the first of which is 0."""
        for stage in self.stages:
            if iteration < stage.iterations:
                return stage.rollout
            iteration -= stage.iterations
        return self.stages[-1].rollout

    def task(self) -> Task:
        """Task of the architecture."""
        if isinstance(self.surrogate, StructuredConfig):
            return StructuredTask(self.surrogate)
        return PredRNNTask(self.surrogate)

    def identity(self) -> dict[str, str]:
        """All keys that decide which weights come out, in words; only trainings with the same continue each other.

        The domain, the runs and the weights to begin with are not among them: their content counts, not how they are
        named.
        """
        free = {"domain", "data", "basins", "start_from"}
        free |= {"seeds", "ensemble", "output", "save_every", "device", "threads", "compile"}
        content = self.model_dump(mode="json", exclude=free)
        if isinstance(self.surrogate, StructuredConfig) and self.surrogate.layers == "own":
            del content["surrogate"]["layers"]  # trainings of before there was a choice go on
        for key, basin in zip(self._keys_of_data(), self.of_basins(), strict=True):
            content[key] = {"validation_hours": basin.data.validation_hours, "hours": basin.data.hours}
        return dict(_flat(content, ""))


def _flat(content: Mapping[str, Any], before: str) -> Iterator[tuple[str, str]]:
    for key, value in content.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{before}{key}.")
        else:
            yield f"{before}{key}", repr(value)


def load(path: Path) -> TrainConfig:
    """Read a training's YAML file; raises `ConfigError` for the first mistakes, naming file, line and key."""
    return load_config(path, TrainConfig)
