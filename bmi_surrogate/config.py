"""The YAML of the surrogate: the keys that all groundwater components share, and the section `surrogate`."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BeforeValidator, Field, model_validator

from bmi_common import Config, ConfigError, ConfigPath, Domain, FieldConfig, load_config
from bmi_common.arrays import Array
from bmi_common.boundary_conditions import Barriers, Conditions
from bmi_common.config import Threads
from bmi_common.errors import Mistakes, errors_under
from bmi_common.gauges import Gauges
from bmi_common.groundwater import SECTIONS
from bmi_common.groundwater_config import GroundwaterConfig, PreparedGroundwater
from bmi_surrogate.checkpoint import load as load_checkpoint
from bmi_surrogate.emulator import Emulator
from bmi_surrogate.predrnn import statics as static_channels
from bmi_surrogate.predrnn.checkpoint import PredRNNCheckpoint
from bmi_surrogate.predrnn.closed_balance import ClosedEmulator
from bmi_surrogate.predrnn.emulator import PredRNNEmulator, PredRNNOptions
from bmi_surrogate.predrnn.normalisation import Moments, moments_of_statics
from bmi_surrogate.structured import StructuredArchitecture, StructuredModel
from bmi_surrogate.structured.checkpoint import StructuredCheckpoint
from bmi_surrogate.structured.emulator import EngineName, StructuredEmulator, StructuredOptions

SHIPPED_REFINEMENTS = 2
"""Of the weights that come with the demo basin: three solves in all."""

_NAMED = (".npz", ".nc", ".nc4")


def _default_variable(data: Any) -> Any:
    named = isinstance(data, str | Path) and Path(data).suffix.lower() in _NAMED
    return {"file": data, "variable": "statics"} if named else data


_FOR_NETWORKS = (
    "format",
    "statistics",
    "statics",
    "statics_statistics",
    "tile",
    "overlap",
    "compile",
    "precision",
)
"""Keys without meaning for the structured surrogate."""

_FOR_STRUCTURED = ("engine",)
"""Keys without meaning for a PredRNN."""

_OF_STRUCTURED = ("surface.flux", "barriers", "sources", "wells", "streams")
"""Conditions that the structured surrogate takes."""


class SurrogateSection(Config):
    """The surrogate, its data and how to run it; see `bmi_surrogate.predrnn.emulator.PredRNNOptions` for the latter.

    ``architecture: structured`` without a checkpoint runs the structured surrogate without any learned correction, and
    with as many `refinements` (solves after the first) as are asked for. Otherwise the checkpoint says what it is.
    """

    checkpoint: ConfigPath | None = None
    architecture: Literal["predrnn", "structured"] | None = None
    refinements: Annotated[int, Field(ge=0, le=100)] = SHIPPED_REFINEMENTS
    format: Literal["auto", "published", "rootzone"] = "auto"
    statistics: ConfigPath | None = None
    statics: Annotated[FieldConfig, BeforeValidator(_default_variable)] | None = None
    statics_statistics: Literal["domain"] | None = None
    tile: Annotated[int, Field(ge=2)] | Literal["whole"] | None = None
    overlap: Literal["independent", "averaged"] = "independent"
    device: str = "auto"
    threads: Threads | None = None
    engine: EngineName | None = None
    compile: bool = False
    precision: Literal["float32", "float64"] = "float32"

    @model_validator(mode="after")
    def _names_weights(self) -> SurrogateSection:
        if self.checkpoint is None and self.architecture != "structured":
            raise ValueError(
                "checkpoint is missing: the file of trained weights; only `architecture: structured` runs without"
            )
        if self.checkpoint is not None and "refinements" in self.model_fields_set:
            raise ValueError(
                "refinements: without effect beside a checkpoint, whose weights belong to their own; remove it"
            )
        return self

    def options(self) -> PredRNNOptions:
        """How to run a PredRNN."""
        return PredRNNOptions(self.tile, self.overlap, self.device, self.threads, self.compile, self.precision)


class SurrogateConfig(GroundwaterConfig):
    """The whole file."""

    surrogate: SurrogateSection


@dataclass(frozen=True, kw_only=True)
class PreparedSurrogate(PreparedGroundwater):
    """What the configuration describes, and the surrogate, ready for `start`."""

    emulator: Emulator


def prepare(config_file: Path) -> PreparedSurrogate:
    """Read and check a configuration and what it names.

    Raises
    ------
    ConfigError
        For each mistake that can be known, naming file, line and key.
    """
    config = load_config(config_file, SurrogateConfig, ignore=SECTIONS)
    section = config.surrogate
    domain = Domain.load(config.domain)
    emulator: Emulator
    mistakes = Mistakes()
    streams = None
    with mistakes.noted(), errors_under("streams", config_file):
        streams, domain = config.read_streams(domain)
    conditions, gauges = Conditions(), Gauges.none()
    with mistakes.noted(), errors_under(file=config_file):
        conditions = config.read_conditions(domain)
    with mistakes.noted(), errors_under(file=config_file):
        gauges = Gauges.read(config.gauges, domain, config.surface.condition)
    with mistakes.noted():
        trained = _trained(section, domain, config_file)
        structured = isinstance(trained, StructuredCheckpoint)
        with errors_under(file=config_file):
            config.refuse(
                "the structured surrogate" if structured else "a PredRNN", but=_OF_STRUCTURED if structured else ()
            )
        with errors_under(file=config_file):
            domain.refuse_own_permeability("a surrogate")
            domain.refuse_uneven_ground("a surrogate")
        if isinstance(trained, StructuredCheckpoint):
            emulator = _structured(trained, domain, section, conditions.barriers, config_file)
            own = trained.files
        else:
            emulator, own = _predrnn(trained, domain, section, config_file)
    with mistakes.noted():
        head = config.initial.read(domain, config_file)
    mistakes.require_none()
    return PreparedSurrogate(
        domain=domain,
        head=head,
        emulator=emulator,
        files=tuple(dict.fromkeys((config_file, *own, *conditions.files, *config.initial.files, *domain.files))),
        conditions=conditions,
        gauges=gauges,
        initial_state=config.initial.state,
        streams=streams,
    )


def _trained(section: SurrogateSection, domain: Domain, config_file: Path) -> PredRNNCheckpoint | StructuredCheckpoint:
    if section.checkpoint is None:
        _require_two_layers("the structured surrogate", domain, "surrogate.architecture", config_file)
        bare = StructuredModel(StructuredArchitecture(domain.nz, (), section.refinements))
        return StructuredCheckpoint(bare.eval(), tuple(domain.dz.tolist()))
    found = load_checkpoint(section.checkpoint, section.format, section.statistics)
    kind = "structured" if isinstance(found, StructuredCheckpoint) else "predrnn"
    if section.architecture not in (None, kind):
        raise ConfigError(
            f"{section.checkpoint} is {kind}, not {section.architecture}",
            key="surrogate.architecture",
            file=config_file,
        )
    return found


def _structured(
    trained: StructuredCheckpoint,
    domain: Domain,
    section: SurrogateSection,
    barriers: Barriers | None,
    config_file: Path,
) -> StructuredEmulator:
    _refuse(section, _FOR_NETWORKS, "the structured surrogate", config_file)
    _require_two_layers("the structured surrogate", domain, "surrogate.checkpoint", config_file)
    layers = trained.model.architecture.layers
    _require_layers(None if layers == "any" else layers, trained.layer_thickness, domain, section.checkpoint)
    with errors_under("surrogate", config_file):
        options = StructuredOptions(section.device, section.threads, section.engine)
        return StructuredEmulator(trained.model, domain, options, barriers)


def _require_two_layers(what: str, domain: Domain, key: str, config_file: Path) -> None:
    if domain.nz < 2:
        raise ConfigError(f"{what} needs two layers at least, the domain has {domain.nz}", key=key, file=config_file)


def _predrnn(
    trained: PredRNNCheckpoint, domain: Domain, section: SurrogateSection, config_file: Path
) -> tuple[Emulator, tuple[Path, ...]]:
    _refuse(section, _FOR_STRUCTURED, "a PredRNN", config_file)
    a, path = trained.network.architecture, trained.files[0]
    if a.balance == "closed":
        _require_two_layers("a closed balance", domain, "surrogate.checkpoint", config_file)
    _require_layers(a.layers, trained.layer_thickness, domain, path)
    if a.source_layers != domain.root_zone_layers:
        raise ConfigError(
            f"{path}: the network takes sources in the upper {a.source_layers} layers, the domain's root zone has "
            f"{domain.root_zone_layers}; `root_zone: {{layers: {a.source_layers}}}` in the domain, or a network "
            "trained on this one"
        )
    fields = _statics(trained, domain, section)
    trained = _with_statics_statistics(trained, fields, domain, section)
    with errors_under("surrogate", config_file):
        network = PredRNNEmulator(trained, fields, domain.mask, section.options(), domain.part)
        emulator: Emulator = ClosedEmulator(network, domain) if a.balance == "closed" else network
    return emulator, (*trained.files, *(() if section.statics is None else section.statics.files))


def _refuse(section: SurrogateSection, keys: tuple[str, ...], surrogate: str, config_file: Path) -> None:
    for key in keys:
        if getattr(section, key) != SurrogateSection.model_fields[key].default:
            raise ConfigError(f"has no meaning for {surrogate}; remove it", key=f"surrogate.{key}", file=config_file)


def _require_layers(layers: int | None, known: tuple[float, ...] | None, domain: Domain, path: Path | None) -> None:
    if layers not in (None, domain.nz):
        raise ConfigError(f"{path}: the network has {layers} layers, the domain has {domain.nz}")
    if known is not None and not np.allclose(known, domain.dz, rtol=1.0e-3):
        k = int(np.argmax(np.abs(np.array(known) / domain.dz - 1.0)))
        raise ConfigError(
            f"{path}: the network was trained on other layers: layer {k} (from the bottom) is {known[k]:g} m thick "
            f"there, {domain.dz[k]:g} m here"
        )


def _statics(trained: PredRNNCheckpoint, domain: Domain, section: SurrogateSection) -> Array:
    wanted = trained.network.architecture.statics
    if section.statics is not None:
        shape = (wanted, *domain.surface.shape)
        # slopes are among them, which cannot be turned without knowing how they were made
        return section.statics.read("surrogate.statics", shape, "1", domain.mask, cells=domain.cells, fixed=("y", "x"))
    has = static_channels.channel_count(domain.nz)
    if has != wanted:
        raise ConfigError(
            f"{section.checkpoint}: the network has {wanted} static channels, the domain gives {has}; "
            "give the network's own in `surrogate.statics`"
        )
    return static_channels.from_domain(domain)


def _with_statics_statistics(
    trained: PredRNNCheckpoint, fields: Array, domain: Domain, section: SurrogateSection
) -> PredRNNCheckpoint:
    stored = trained.statistics.statics is not None
    if stored and section.statics_statistics is not None:
        raise ConfigError(
            f"{section.checkpoint}: the checkpoint stores the statistics of its statics; remove `statics_statistics`"
        )
    if stored:
        return trained
    if section.statics_statistics is None:
        raise ConfigError(
            f"{section.checkpoint}: a published checkpoint does not store the statistics of its statics; "
            "`statics_statistics: domain` computes them from this domain, which is right only if it is the one that "
            "the network was trained on"
        )
    moments = _moments(fields, domain)
    return dataclasses.replace(trained, statistics=dataclasses.replace(trained.statistics, statics=moments))


def _moments(statics: Array, domain: Domain) -> Moments:
    """Moments of the statics over the whole domain."""
    part = domain.part
    if part is None:
        return moments_of_statics(statics, domain.mask)
    # of all channels at once, because numpy adds up a single one in another order
    whole, mask = part.whole(statics), part.whole(domain.mask)
    found: Moments = part.world.shared(None if whole is None or mask is None else moments_of_statics(whole, mask))
    return found
