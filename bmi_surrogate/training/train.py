"""A whole training: data prepared, every seed trained, the best weights kept."""

from __future__ import annotations

import functools
import hashlib
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch

from bmi_common import ConfigError, Domain
from bmi_common.folder_lock import require_at_rest
from bmi_common.hashing import sha256
from bmi_common.owned_folder import OwnedFolder, read_record, require_writable, taken
from bmi_common.progress import Progress
from bmi_surrogate.checkpoint import load_rootzone
from bmi_surrogate.compute import require_compiler
from bmi_surrogate.predrnn import statics as static_channels
from bmi_surrogate.training.config import TrainConfig
from bmi_surrogate.training.distributed import Processes
from bmi_surrogate.training.logger import draw_seeds
from bmi_surrogate.training.prepare import prepare
from bmi_surrogate.training.sampling import Sampler, whole
from bmi_surrogate.training.statistics import data_statistics
from bmi_surrogate.training.store import DESCRIPTION, Store
from bmi_surrogate.training.task import Basin, DataStatistics, Task
from bmi_surrogate.training.tiles import Ground
from bmi_surrogate.training.trainer import (
    FIGURE,
    LOG,
    STATE,
    BasinMaterial,
    Material,
    SeedResult,
    Trainer,
    TrainingError,
    kept_module,
)
from bmi_surrogate.training.training_state import TrainingState
from bmi_surrogate.training.validation import persistence

log = logging.getLogger("rootzone")

BEST = "best"
HOLDS = "training"
"""What the record of its folder says that it holds."""

_WEIGHTS = (".safetensors", ".yaml")
SEEDS_FIGURE = "training.png"
"""Courses of all seeds."""
_FILES = (STATE, LOG, FIGURE, *(f"{BEST}{suffix}" for suffix in _WEIGHTS))


@dataclass(frozen=True)
class Trained:
    """Result of a training.

    Attributes
    ----------
    outcomes : tuple of SeedResult
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

    outcomes: tuple[SeedResult, ...]
    weights: Path | None
    finished: bool
    persistence: float
    score_name: str


def prepare_material(config: TrainConfig, here: Processes, progress: Progress) -> Material:
    """Read the domains, make or open the training stores, take their statistics; writes nothing into `output`.

    Raises
    ------
    ConfigError
        For data that are missing, damaged, too few or of another domain, for a device that does not exist, and for an
        `output` that cannot be written or belongs to another training.
    """
    device = here.device(config.device)
    if config.compile:
        require_compiler(device)
    if config.mixed_precision and device.type != "cuda":
        raise ConfigError(f"mixed_precision: needs a CUDA device, this training runs on {device.type}; remove the key")
    try:
        require_writable(config.output)
        require_at_rest(config.output)
    except ConfigError as error:
        raise ConfigError(f"output: {error}") from error
    task = config.task()
    domains = [Domain.load(basin.domain) for basin in config.of_basins()]
    for domain in domains:
        domain.refuse_own_permeability("a surrogate")
        domain.refuse_uneven_ground("a surrogate")
    if config.start_from is not None:
        task.require_suits(config.start_from, domains)  # before stores are made, which takes minutes
    if not here.is_first:
        here.wait()  # the first one makes stores and statistics
    known = []
    for domain, basin in zip(domains, config.of_basins(), strict=True):
        statics, store = static_channels.from_domain(domain), prepare(basin.data, domain, progress)
        known.append((store, Basin(domain, statics, data_statistics(store, domain, statics, progress))))
    if here.is_first:
        here.wait()
    prepared = [_with_hours(config, number, *of_basin, task, device) for number, of_basin in enumerate(known)]
    digests = [digest for _, digest in prepared]
    identity = {
        **config.identity(),
        "domain or data": digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest(),
        "number of processes": str(here.count),
    }
    if config.start_from is not None:
        identity["start_from"] = sha256(load_rootzone(config.start_from).files[0])
    basins = tuple(basin for basin, _ in prepared)
    material = Material(config=config, task=task, basins=basins, identity=identity, device=device, processes=here)
    material.module()  # refuses an architecture that does not suit the data
    _require_own(config.output, identity)
    return material


def _with_hours(
    config: TrainConfig, number: int, store: Store, basin: Basin, task: Task, device: torch.device
) -> tuple[BasinMaterial, str]:
    """Add to a basin the hours that it trains and judges with; also returns a digest of data and domain."""
    domain, statics = basin.domain, basin.statics
    ground, hours = Ground(domain, statics, task.fields), config.validation.hours or store.validation_hours
    validation = whole(store, ground, _first_hour_of_validation(store, hours), hours, number)
    sampler = functools.partial(Sampler, store, domain, statics, task.fields, config.sampling, basin=number)
    _require_windows(config, sampler(config.seeds[0]))
    material = BasinMaterial(
        **vars(basin),
        sampler=sampler,
        validation=validation.to(device),
        persistence=persistence(validation, domain.dz),
    )
    return material, _digest(store, basin.statistics, ground)


def _require_own(output: Path, identity: Mapping[str, str]) -> None:
    """Refuse a folder of another training, all seeds of it."""
    states = _states(output)
    for state in states:
        TrainingState.read(state, identity)
    for ending in (".safetensors", ".yaml"):
        file = (output / BEST).with_suffix(ending)
        if not states and file.exists():
            raise ConfigError(f"{file}: already exists, without a training state; choose another `output`")


def _states(output: Path) -> list[Path]:
    return sorted(output.glob(f"seed_*/{STATE}"))


def _seeds(config: TrainConfig) -> list[str]:
    return [f"seed_{seed}/" for seed in config.seeds]


def _require_windows(config: TrainConfig, sampler: Sampler) -> None:
    """Refuse rollouts that the data or the sampling cannot give, before hours of training come to them."""
    for number, stage in enumerate(config.stages):
        try:
            sampler.batch(0, stage.hours)
        except ConfigError as error:
            raise ConfigError(f"stages.{number}: hours: {error}") from None


def _digest(store: Store, statistics: DataStatistics, ground: Ground) -> str:
    digest = hashlib.sha256((store.folder / DESCRIPTION).read_bytes())
    for moments in (statistics.pressure, statistics.increments, statistics.source, statistics.statics):
        digest.update(moments.mean.tobytes() + moments.std.tobytes())
    everything = ground.tile(ground.whole, 0)
    for values in (everything.statics, *everything.fields.values()):
        digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()


def _first_hour_of_validation(store: Store, hours: int) -> int:
    try:
        return int(store.starts(hours, validation=True)[0])
    except ConfigError as error:
        raise ConfigError(f"{error}; make `validation.hours` smaller") from None


def train(material: Material, progress: Progress, interrupted: Callable[[], bool], source: Path) -> Trained:
    """Train every seed, and keep the best weights.

    They are those of the least score by validation of all seeds and all times, the untrained ones included; they are
    kept after an interrupt and a failure too. Seeds that were trained before are not trained again.

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
        If a training cannot go on, or no weights gave finite heads.
    """
    if not material.processes.is_first:
        return _train(material, progress, interrupted, source, None)
    with taken(material.config.output, HOLDS) as folder:
        if read_record(folder.path) is None and any(_states(folder.path)):  # of an earlier version, which kept none
            folder.adopt(f"{below}{name}" for below in ("", *_seeds(material.config)) for name in _FILES)
        return _train(material, progress, interrupted, source, folder)


def _train(
    material: Material,
    progress: Progress,
    interrupted: Callable[[], bool],
    source: Path,
    folder: OwnedFolder | None,
) -> Trained:
    config = material.config
    outcomes: list[SeedResult] = []
    weights: Path | None = None
    for seed in config.seeds:
        training = Trainer(material, seed, config.output / f"seed_{seed}")
        if folder is not None:
            folder.own(*(f"seed_{seed}/{name}" for name in (STATE, LOG, FIGURE)))
        log.info("seed %d: %s", seed, _plan(training))
        progress.label = f"seed {seed}"
        was_finished = training.outcome.finished
        try:
            outcomes.append(training.run(lambda done, words: progress(done, config.iterations, words), interrupted))
        except TrainingError:
            _keep(material, [*outcomes, training.outcome], source, folder)
            raise
        finally:
            progress.finish()
        # the best weights, which lie there already, may be of a seed that comes later and was trained before
        is_known = was_finished and seed != config.seeds[-1]
        weights = _keep(material, outcomes, source, folder, judged=not is_known)
        _draw_seeds(config, len(outcomes), float(material.persistence.water_table), folder)
        if not outcomes[-1].finished:
            break
    finished = len(outcomes) == len(config.seeds) and outcomes[-1].finished
    name = config.validation.score
    reference = float(getattr(material.persistence, name))
    if finished and material.processes.is_first:
        _judge(outcomes, reference, "untrained weights" if config.start_from is None else "weights of the start")
    return Trained(tuple(outcomes), weights, finished, reference, name)


def _draw_seeds(config: TrainConfig, count: int, reference: float, folder: OwnedFolder | None) -> None:
    """Draw the courses of the first so many seeds in one figure."""
    if folder is None or count < 2:
        return
    folder.own(SEEDS_FIGURE)
    logs = {f"seed {seed}": folder.path / f"seed_{seed}" / LOG for seed in config.seeds[:count]}
    draw_seeds(logs, folder.path / SEEDS_FIGURE, reference)


def _plan(training: Trainer) -> str:
    total = training.material.config.iterations
    if training.iteration >= total:
        return f"was trained to the end before ({total} iterations)"
    parameters = sum(p.numel() for p in training.module.parameters())
    before = "" if training.is_new else f", goes on after {training.iteration}"
    return f"{parameters} parameters, {total} iterations on {training.material.device}{before}"


def _judge(outcomes: Sequence[SeedResult], reference: float, first: str) -> None:
    for outcome in outcomes:
        if outcome.best is not None and outcome.best.iteration == 0 and outcome.trained is not None:
            log.warning(
                "seed %d: training did not help: the %s (%.4g m) are kept, the best trained ones, of iteration %d, "
                "reached %.4g m",
                outcome.seed,
                first,
                outcome.best.score,
                outcome.trained[1],
                outcome.trained[0],
            )
    winner = _winner(outcomes)
    if winner is None or winner.best is None:
        raise TrainingError("no weights gave finite heads over the validation; a smaller learning rate may help")
    if not winner.best.score < reference:
        log.warning(
            "the best weights are no better than persistence over the validation (%.4g against %.4g m)",
            winner.best.score,
            reference,
        )


def _winner(outcomes: Sequence[SeedResult]) -> SeedResult | None:
    judged = [o for o in outcomes if o.best is not None]
    return min(judged, key=lambda o: o.best.score if o.best is not None else math.inf, default=None)


def _keep(
    material: Material, outcomes: Sequence[SeedResult], source: Path, folder: OwnedFolder | None, judged: bool = True
) -> Path | None:
    if folder is None:
        return None
    config = material.config
    latest, winner = outcomes[-1], _winner(outcomes)
    if config.ensemble and latest.best is not None:
        _write(material, latest, folder, f"seed_{latest.seed}/{BEST}", source)
    return None if winner is None or not judged else _write(material, winner, folder, BEST, source)


def _write(material: Material, outcome: SeedResult, folder: OwnedFolder, name: str, source: Path) -> Path:
    best = outcome.best
    assert best is not None  # asked by the callers
    identity = {
        "data_sha256": material.identity["domain or data"],
        "seed": str(outcome.seed),
        "iteration": str(best.iteration),
        f"validation_{material.config.validation.score}_error_m": f"{best.score:.6g}",
    }
    folder.own(*(f"{name}{suffix}" for suffix in _WEIGHTS))
    path = folder.path / name
    if _holds(path, identity):
        return path.with_suffix(".safetensors")
    provenance = {
        "trained": datetime.now(UTC).isoformat(timespec="seconds"),
        "configuration": source.name,
        "configuration_sha256": sha256(source),
        **identity,
    }
    return material.task.save(kept_module(material, best), path, provenance)


def _holds(path: Path, identity: Mapping[str, str]) -> bool:
    """Whether the weights are there already, whole: a training that is started again leaves them as they are."""
    try:
        provenance = load_rootzone(path.with_suffix(".safetensors")).provenance
    except ConfigError:
        return False
    return identity.items() <= provenance.items()
