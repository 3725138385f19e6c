"""A whole training: data prepared, every seed trained, the best weights kept."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import torch

from bmi_common import ConfigError, Domain
from bmi_common.hashing import sha256
from bmi_surrogate import statics as static_channels
from bmi_surrogate.compute import find_device, require_compiler
from bmi_surrogate.training.config import TrainConfig
from bmi_surrogate.training.distributed import Processes
from bmi_surrogate.training.loop import Material, Outcome, Training, TrainingError, kept_module
from bmi_surrogate.training.prepare import prepare
from bmi_surrogate.training.progress import Progress
from bmi_surrogate.training.sampling import Sampler, whole
from bmi_surrogate.training.statistics import data_statistics
from bmi_surrogate.training.store import DESCRIPTION, Store
from bmi_surrogate.training.tiles import Ground
from bmi_surrogate.training.validation import persistence

log = logging.getLogger("rootzone")

BEST = "best"


@dataclass(frozen=True)
class Fitted:
    """Result of a training.

    Attributes
    ----------
    outcomes : tuple of Outcome
        One a seed.
    weights : Path or None
        File of the best weights; None if there are none yet.
    finished : bool
        False after an interrupt.
    persistence : float
        Score of the state at the start of the validation, kept [m].
    score_name : str
        What the score is of.
    """

    outcomes: tuple[Outcome, ...]
    weights: Path | None
    finished: bool
    persistence: float
    score_name: str


def prepare_material(config: TrainConfig, here: Processes, progress: Progress) -> Material:
    """Read the domain, make or open the training store, take its statistics.

    Raises
    ------
    ConfigError
        For data that are missing, damaged, too few or of another domain, and for a device, a compiler or a folder
        that is not there.
    """
    device = find_device(f"cuda:{here.local_rank}" if here.count > 1 and torch.cuda.is_available() else config.device)
    if config.compile:
        require_compiler(device)
    if config.mixed_precision and device.type != "cuda":
        raise ConfigError(f"mixed_precision: needs CUDA, the device is {device}")
    domain = Domain.load(config.domain)
    task = config.task()
    statics = static_channels.from_domain(domain)
    if here.is_first:
        _taken(config, domain, progress)
    here.wait()
    store = _taken(config, domain, progress)
    statistics = data_statistics(store, domain, statics, progress)
    for stage in config.stages:
        store.starts(stage.hours)  # refuses rollouts that no stretch of the data holds
    ground = Ground(domain, statics, task.fields)
    validation = whole(store, ground, _first_hour_of_validation(store, config), _hours_of_validation(config))
    digest = hashlib.sha256((store.folder / DESCRIPTION).read_bytes()).hexdigest()
    try:
        config.output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"output: cannot make the folder {config.output}: {error.strerror}") from None
    return Material(
        config=config,
        task=task,
        domain=domain,
        statics=statics,
        statistics=statistics,
        sampler=lambda seed: Sampler(store, domain, statics, task.fields, config.sampling, seed),
        validation=validation.to(device),
        identity=f"{config.identity()} data {digest} processes {here.count}",
        device=device,
        processes=here,
    )


def _taken(config: TrainConfig, domain: Domain, progress: Progress) -> Store:
    return prepare(config.data, domain, progress)


def _hours_of_validation(config: TrainConfig) -> int:
    return config.validation.hours or config.data.validation_hours


def _first_hour_of_validation(store: Store, config: TrainConfig) -> int:
    hours = _hours_of_validation(config)
    try:
        return int(store.starts(hours, validation=True)[0])
    except ConfigError as error:
        raise ConfigError(f"{error}; make `validation.hours` smaller") from None


def fit(material: Material, progress: Progress, interrupted: Callable[[], bool], source: Path) -> Fitted:
    """Train every seed, and keep the best weights.

    Parameters
    ----------
    material : Material
        From `prepare_material`.
    progress : Progress
        Shows iterations.
    interrupted : callable
        Whether to stop; asked between iterations.
    source : Path
        The configuration file, for the provenance.

    Raises
    ------
    TrainingError
        If a training cannot go on.
    """
    config, here = material.config, material.processes
    outcomes: list[Outcome] = []
    weights: Path | None = None
    reference = getattr(persistence(material.validation, material.domain.dz), config.validation.score)
    for seed in config.seeds:
        training = Training(material, seed, config.output / f"seed_{seed}")
        parameters = sum(p.numel() for p in training.module.parameters())
        if here.is_first:
            log.info(
                "seed %d: %d parameters, %d iterations on %s", seed, parameters, config.iterations, material.device
            )
        progress.label = f"seed {seed}"
        try:
            outcome = training.run(lambda done, words: progress(done, config.iterations, words), interrupted)
        except TrainingError:
            _keep(material, [*outcomes, Outcome(seed, training.best, False, training.seconds)], source)
            raise
        finally:
            progress.finish()
        outcomes.append(outcome)
        weights = _keep(material, outcomes, source)
        if not outcome.finished:
            break
    finished = len(outcomes) == len(config.seeds) and all(o.finished for o in outcomes)
    best = _best(outcomes)
    if finished and best is not None and best.best is not None and not best.best.score < reference:
        log.warning(
            "the best weights are worse than persistence over the validation (%.4g against %.4g m)",
            best.best.score,
            reference,
        )
    return Fitted(tuple(outcomes), weights, finished, reference, config.validation.score)


def _best(outcomes: Sequence[Outcome]) -> Outcome | None:
    judged = [o for o in outcomes if o.best is not None]
    return min(judged, key=lambda o: o.best.score if o.best is not None else torch.inf) if judged else None


def _keep(material: Material, outcomes: list[Outcome], source: Path) -> Path | None:
    if not material.processes.is_first:
        return None
    config = material.config
    latest, best = outcomes[-1], _best(outcomes)
    if config.ensemble and latest.best is not None:
        _write(material, latest, config.output / f"seed_{latest.seed}" / BEST, source)
    return None if best is None else _write(material, best, config.output / BEST, source)


def _write(material: Material, outcome: Outcome, path: Path, source: Path) -> Path:
    best = outcome.best
    assert best is not None  # asked by the callers
    provenance = {
        "trained": datetime.now(UTC).isoformat(timespec="seconds"),
        "configuration": source.name,
        "configuration_sha256": sha256(source),
        "seed": str(outcome.seed),
        "iteration": str(best.iteration),
        f"validation_{material.config.validation.score}_error_m": f"{best.score:.6g}",
    }
    return material.task.save(kept_module(material, best), path, provenance)
