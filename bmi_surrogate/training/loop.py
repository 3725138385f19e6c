"""The training loop: one seed, from its state or from the start, to the last iteration or an interrupt."""

from __future__ import annotations

import copy
import logging
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from bmi_common import Domain, RootzoneError
from bmi_surrogate.normalisation import Array
from bmi_surrogate.training.config import TrainConfig
from bmi_surrogate.training.distributed import Processes
from bmi_surrogate.training.journal import Journal
from bmi_surrogate.training.resume import Best, State, random_states, set_random_states
from bmi_surrogate.training.sampling import Sampler
from bmi_surrogate.training.task import Batch, DataStatistics, Rollout, Task
from bmi_surrogate.training.validation import Scores, persistence, validate

log = logging.getLogger("rootzone")

STATE, LOG, FIGURE = "state.pt", "log.csv", "loss.png"
_ROWS = 200
"""Rows of losses in the log of a training, about."""
_CALIBRATION = 32
"""Batches of single hours that the scales of a module are taken from."""


class TrainingError(RootzoneError):
    """A training cannot go on; the message says why and what was kept."""


@dataclass(frozen=True)
class Material:
    """What all seeds share.

    Attributes
    ----------
    config : TrainConfig
        The whole configuration.
    task : Task
        The architecture.
    domain : Domain
        Domain of the data.
    statics : ndarray, shape (channels, ny, nx)
        Raw static channels.
    statistics : DataStatistics
        Of the training hours.
    sampler : callable
        Makes the sampler of a seed.
    validation : Batch
        The whole domain over the hours that judge.
    identity : str
        Of configuration and data.
    device : torch.device
        Where modules are.
    processes : Processes
        Which process this is.
    """

    config: TrainConfig
    task: Task
    domain: Domain
    statics: Array
    statistics: DataStatistics
    sampler: Callable[[int], Sampler]
    validation: Batch
    identity: str
    device: torch.device
    processes: Processes


@dataclass(frozen=True)
class Outcome:
    """End of a seed's training.

    Attributes
    ----------
    seed : int
        The seed.
    best : Best or None
        Its best weights.
    finished : bool
        False after an interrupt.
    seconds : float
        Time of all iterations, those before a resume included.
    """

    seed: int
    best: Best | None
    finished: bool
    seconds: float


class Training:
    """One seed's training.

    Parameters
    ----------
    material : Material
        What it works with.
    seed : int
        Of parameters and batches.
    folder : Path
        Where state, log and figure go.
    """

    def __init__(self, material: Material, seed: int, folder: Path) -> None:
        self.material, self.seed, self.folder = material, seed, folder
        config = material.config
        folder.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(seed)
        tile = None if config.sampling.tile == "whole" else config.sampling.tile
        self.sampler = material.sampler(seed)
        self.module = material.task.build(material.statistics, material.statics, material.domain, tile)
        self.module.to(material.device)
        material.task.calibrate(self.module, self._calibration())
        self.average = copy.deepcopy(self.module) if config.optimiser.ema is not None else None
        self.optimiser = config.optimiser.build(self.module.parameters())
        self.iteration, self.seconds = 0, 0.0
        self.best: Best | None = None
        found = State.read(folder / STATE, material.identity)
        if found is not None:
            self._recall(found)
        material.processes.share(self.module)
        if config.compile:
            material.task.compiled(self.module)
        self.reference = persistence(material.validation, material.domain.dz)
        self.journal = Journal(folder / LOG, self.iteration) if material.processes.is_first else None

    @property
    def judged(self) -> nn.Module:
        """The module whose weights are validated and kept."""
        return self.module if self.average is None else self.average

    def run(self, advanced: Callable[[int, str], None], interrupted: Callable[[], bool]) -> Outcome:
        """Train to the last iteration.

        Parameters
        ----------
        advanced : callable
            Is told after every iteration how many are done, and the last losses in words.
        interrupted : callable
            Whether to stop; asked between iterations. The state is written then.

        Raises
        ------
        TrainingError
            If the loss is not finite or memory runs out; the state is that of the last save.
        """
        config, total = self.material.config, self.material.config.iterations
        if self.iteration == 0 and self.best is None:
            self._validate()
            self._save()
        losses: list[float] = []
        every = max(1, total // _ROWS)
        while self.iteration < total:
            if self.material.processes.any(interrupted(), self.material.device):
                self._save()
                return Outcome(self.seed, self.best, False, self.seconds)
            begin = time.perf_counter()
            losses.append(self._iterate())
            self.seconds += time.perf_counter() - begin
            if self.iteration % every == 0 or self.iteration == total:
                self._write_loss(losses)
                losses = []
            if self.iteration % config.validation.every == 0 or self.iteration == total:
                self._validate()
            if self.iteration % config.save_every == 0 or self.iteration == total:
                self._save()
            advanced(self.iteration, self._words())
        return Outcome(self.seed, self.best, True, self.seconds)

    # ------------------------------------------------------------ one iteration

    def _iterate(self) -> float:
        m, config = self.material, self.material.config
        rollout = config.rollout(self.iteration)
        config.optimiser.adjust(self.optimiser, self.iteration, config.iterations)
        number = self.iteration * m.processes.count + m.processes.rank
        try:
            batch = self.sampler.batch(number, rollout.hours).to(m.device)
            loss = self._weighted(self._terms(batch, rollout))
            value = float(loss.detach())
            if m.processes.any(not math.isfinite(value), m.device):
                raise TrainingError(self._blame(batch, rollout))
            self.optimiser.zero_grad(set_to_none=True)
            if loss.requires_grad:
                loss.backward()  # type: ignore[no-untyped-call]
        except torch.OutOfMemoryError:
            raise TrainingError(
                f"out of memory on {m.device} in iteration {self.iteration + 1}, with {rollout.hours} h and "
                f"{config.sampling.batch} samples; make `sampling.batch`, `sampling.tile` or the stage's "
                "`gradient_hours` smaller and start again: it goes on from the last state"
            ) from None
        m.processes.average_gradients(self.module)
        largest = config.optimiser.clip_norm
        self.gradient = float(
            nn.utils.clip_grad_norm_(self.module.parameters(), math.inf if largest is None else largest)
        )
        if not math.isfinite(self.gradient):
            raise TrainingError(self._blame(batch, rollout))
        self.optimiser.step()
        self._follow()
        self.iteration += 1
        return value

    def _terms(self, batch: Batch, rollout: Rollout) -> Mapping[str, Tensor]:
        mixed = self.material.config.mixed_precision and self.material.device.type == "cuda"
        with torch.autocast(self.material.device.type, torch.bfloat16, enabled=mixed):
            return self.material.task.loss(self.module, batch, rollout)

    def _weighted(self, terms: Mapping[str, Tensor]) -> Tensor:
        weights = self.material.task.weights
        return torch.stack([weights[name] * term for name, term in terms.items()]).sum()

    def _follow(self) -> None:
        decay = self.material.config.optimiser.ema
        if self.average is None or decay is None:
            return
        # at first the average is young: it must not remember the untrained weights
        decay = min(decay, (1.0 + self.iteration) / (10.0 + self.iteration))
        with torch.no_grad():
            for mean, value in zip(self.average.parameters(), self.module.parameters(), strict=True):
                mean.lerp_(value, 1.0 - decay)

    def _blame(self, batch: Batch, rollout: Rollout) -> str:
        kept = (
            "nothing was saved yet"
            if self.best is None
            else (f"the weights of iteration {self.best.iteration} and the last state are kept")
        )
        where = "no single sample of this process alone gives it"
        with torch.no_grad():
            for index, origin in enumerate(batch.origins):
                if not math.isfinite(float(self._weighted(self._terms(batch.sample(index), rollout)))):
                    where = f"the sample at {origin}"
                    break
        return (
            f"loss or gradient is not finite in iteration {self.iteration + 1}: {where}; {kept}. A smaller learning "
            "rate (`optimiser.schedule.rate`) or `optimiser.clip_norm` helps, if the data are sound there"
        )

    # ------------------------------------------------------- validation, files

    def _validate(self) -> None:
        m = self.material
        if not m.processes.is_first:
            return
        scores = validate(m.task, self.judged, m.validation, m.domain.dz)
        self._note(scores)
        score = float(getattr(scores, m.config.validation.score))
        if math.isfinite(score) and (self.best is None or score < self.best.score):
            weights = {name: value.detach().cpu().clone() for name, value in self.judged.state_dict().items()}
            self.best = Best(score, self.iteration, weights)

    def _note(self, scores: Scores) -> None:
        self.scores = scores
        if self.journal is not None:
            self.journal.add(
                iteration=self.iteration,
                seconds=self.seconds,
                water_table=scores.water_table,
                water_table_median=scores.median,
                water_table_high=scores.high,
                head=scores.head,
            )
            self.journal.draw(self.folder / FIGURE, self.reference.water_table)

    def _write_loss(self, losses: list[float]) -> None:
        self.mean_loss = sum(losses) / len(losses)
        if self.journal is not None:
            self.journal.add(
                iteration=self.iteration,
                seconds=self.seconds,
                loss=self.mean_loss,
                rate=float(self.optimiser.param_groups[0]["lr"]),
                gradient=self.gradient,
                hours=self.material.config.rollout(self.iteration - 1).hours,
            )

    def _words(self) -> str:
        parts = []
        if hasattr(self, "mean_loss"):
            parts.append(f"loss {self.mean_loss:.3g}")
        if self.best is not None:
            parts.append(f"best {self.best.score:.4g} m")
        return ", ".join(parts)

    def _save(self) -> None:
        m = self.material
        if m.processes.is_first:
            State(
                identity=m.identity,
                iteration=self.iteration,
                module=self.module.state_dict(),
                average=None if self.average is None else self.average.state_dict(),
                optimiser=self.optimiser.state_dict(),
                best=self.best,
                random=random_states(),
                seconds=self.seconds,
            ).write(self.folder / STATE)
        m.processes.wait()

    def _recall(self, state: State) -> None:
        self.module.load_state_dict(state.module)
        if self.average is not None and state.average is not None:
            self.average.load_state_dict(state.average)
        self.optimiser.load_state_dict(state.optimiser)
        self.iteration, self.seconds, self.best = state.iteration, state.seconds, state.best
        set_random_states(state.random)
        log.info("seed %d goes on after %d iterations", self.seed, self.iteration)

    def _calibration(self) -> list[Batch]:
        return [self.sampler.batch(number, 1).to(self.material.device) for number in range(_CALIBRATION)]


def kept_module(material: Material, best: Best) -> nn.Module:
    """Make a module of the best weights."""
    tile = None if material.config.sampling.tile == "whole" else material.config.sampling.tile
    module = material.task.build(material.statistics, material.statics, material.domain, tile)
    module.load_state_dict(best.weights)
    return module.eval()
