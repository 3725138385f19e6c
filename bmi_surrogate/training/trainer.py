"""The training loop: one seed, from its state or from the start, to the last iteration or an interrupt."""

from __future__ import annotations

import copy
import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from bmi_common import ConfigError, RootzoneError
from bmi_surrogate.training.config import TrainConfig
from bmi_surrogate.training.distributed import Processes
from bmi_surrogate.training.logger import CsvLogger
from bmi_surrogate.training.sampling import Sampler
from bmi_surrogate.training.task import Basin, Batch, Rollout, Task
from bmi_surrogate.training.training_state import Best, TrainingState, random_states, set_random_states, understood
from bmi_surrogate.training.validation import Scores, of_all, validate

log = logging.getLogger("rootzone")

STATE, LOG, FIGURE = "state.pt", "log.csv", "loss.png"
_ROWS = 200
"""Rows of losses in the log of a training, about."""
_CALIBRATION = 32
"""Batches of single hours of each basin that the scales of a module are taken from."""


class TrainingError(RootzoneError):
    """A training cannot continue; the message says why and what was kept."""


@dataclass(frozen=True)
class BasinMaterial(Basin):
    """A basin with the hours that it trains and judges with.

    Attributes
    ----------
    sampler : callable
        Makes the sampler of a seed.
    validation : Batch
        The whole domain over the hours that judge.
    persistence : Scores
        Of the state at the start of the validation, kept.
    """

    sampler: Callable[[int], Sampler]
    validation: Batch
    persistence: Scores


@dataclass(frozen=True)
class Material:
    """What all seeds share.

    Attributes
    ----------
    config : TrainConfig
        The whole configuration.
    task : Task
        The architecture.
    basins : tuple of BasinMaterial
        Basins that are trained on.
    identity : mapping
        Of configuration and data; see `TrainingState`.
    device : torch.device
        Where modules are.
    processes : Processes
        Which process this is.
    """

    config: TrainConfig
    task: Task
    basins: tuple[BasinMaterial, ...]
    identity: Mapping[str, str]
    device: torch.device
    processes: Processes

    @property
    def persistence(self) -> Scores:
        """Of the states at the start of the validation, kept; over all basins."""
        return of_all([basin.persistence for basin in self.basins])

    def module(self) -> nn.Module:
        """Make the module that a training begins with on the CPU.

        Its weights are random, from PyTorch's numbers, or those of the configuration's `start_from`.

        Raises
        ------
        ConfigError
            If it is too large, or `start_from` holds weights of another architecture.
        """
        tile = self.config.sampling.tile
        try:
            module = self.task.build(self.basins, None if tile == "whole" else tile)
            if self.config.start_from is not None:
                self.task.begin_with(module, self.config.start_from)
            return module
        except (RuntimeError, MemoryError) as error:
            if not _is_lack_of_memory(error):
                raise
            raise ConfigError(f"surrogate: a network of this size does not fit into memory: {error}") from error


@dataclass(frozen=True)
class SeedResult:
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
    trained : tuple of float and int, or None
        Least score after the first iteration, and its iteration; None where not known.
    """

    seed: int
    best: Best | None
    finished: bool
    seconds: float
    trained: tuple[float, int] | None = None


class Trainer:
    """One seed's training, from where an earlier one was stopped if there was one; writes nothing until it runs.

    With several processes, each has its own copy, all of which stay the same; the first one writes.

    Parameters
    ----------
    material : Material
        What it works with.
    seed : int
        Of parameters and batches.
    folder : Path
        Where state, log and figure go.

    Raises
    ------
    ConfigError
        If the architecture does not suit the data, or the folder holds a state that is damaged or another training's.
    """

    def __init__(self, material: Material, seed: int, folder: Path) -> None:
        self.material, self.seed, self.folder = material, seed, folder
        config = material.config
        torch.manual_seed(seed)
        self._samplers = [basin.sampler(seed) for basin in material.basins]
        self.module = material.module().to(material.device)
        found = TrainingState.read(folder / STATE, material.identity)
        self.is_new = found is None
        material.processes.wait()  # all have looked for a state before the first one writes it
        if found is None and config.start_from is None:
            material.task.calibrate(self.module, self._calibration())
        material.processes.share(self.module)
        self.average = copy.deepcopy(self.module) if config.optimiser.ema is not None else None
        self.optimiser = config.optimiser.build(self.module.parameters())
        self.iteration, self.seconds = 0, 0.0
        self.best: Best | None = None
        self.logger: CsvLogger | None = None
        self._losses: list[float] = []  # since the last row of the log
        self._mean_loss: float | None = None
        self._gradient = 0.0
        if found is not None:
            with understood(folder / STATE):
                self._resume(found)
        if config.compile:
            material.task.compiled(self.module)

    @property
    def judged(self) -> nn.Module:
        """The module whose weights are validated and kept."""
        return self.module if self.average is None else self.average

    @property
    def outcome(self) -> SeedResult:
        """How far the training is."""
        name = self.material.config.validation.score
        trained = None if self.logger is None else self.logger.least(name)
        is_finished = self.iteration >= self.material.config.iterations
        return SeedResult(self.seed, self.best, is_finished, self.seconds, trained)

    def run(self, advanced: Callable[[int, str], None], interrupted: Callable[[], bool]) -> SeedResult:
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
        if self.iteration >= total:
            return self.outcome
        if self.material.processes.is_first:
            self.folder.mkdir(parents=True, exist_ok=True)
            self.logger = CsvLogger(self.folder / LOG, -1 if self.is_new else self.iteration)
        if self.is_new:
            self._validate()
            self._save()
        every = max(1, total // _ROWS)
        while self.iteration < total:
            if self.material.processes.any(interrupted(), self.material.device):
                self._save()
                return self.outcome
            begin = time.perf_counter()
            self._losses.append(self._iterate())
            self.seconds += time.perf_counter() - begin
            if self.iteration % every == 0 or self.iteration == total:
                self._write_losses()
            if self.iteration % config.validation.every == 0 or self.iteration == total:
                self._validate()
            if self.iteration % config.save_every == 0 or self.iteration == total:
                self._save()
            advanced(self.iteration, self._words())
        return self.outcome

    # ------------------------------------------------------------ one iteration

    def batch(self, number: int, hours: int) -> Batch:
        """Take a batch of windows of `hours`, from the basins in turn."""
        turn, basin = divmod(number, len(self._samplers))
        return self._samplers[basin].batch(turn, hours)

    def _iterate(self) -> float:
        m, config = self.material, self.material.config
        rollout = config.rollout(self.iteration)
        config.optimiser.adjust(self.optimiser, self.iteration, config.iterations)
        number = self.iteration * m.processes.count + m.processes.rank
        advice = (
            f"with {config.sampling.batch} samples of {rollout.hours} h; make `sampling.batch`, `sampling.tile` or the "
            "stage's `gradient_hours` smaller, and train into another `output`"
        )
        with self._memory(f"in iteration {self.iteration + 1}", advice):
            batch = self.batch(number, rollout.hours).to(m.device)
            loss = self._weighted(self._terms(batch, rollout))
            value = float(loss.detach())
            if m.processes.any(not math.isfinite(value), m.device):
                raise TrainingError(self._blame("loss", batch, rollout))
            self.optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            m.processes.average_gradients(self.module)
            largest = math.inf if config.optimiser.clip_norm is None else config.optimiser.clip_norm
            self._gradient = float(nn.utils.clip_grad_norm_(self.module.parameters(), largest))
            if not math.isfinite(self._gradient):
                raise TrainingError(self._blame("gradient", batch, rollout))
            self.optimiser.step()
        self._follow()
        self.iteration += 1
        return value

    @contextmanager
    def _memory(self, when: str, advice: str) -> Iterator[None]:
        """Turn a lack of memory into a message."""
        try:
            yield
        except (RuntimeError, MemoryError) as error:
            if not _is_lack_of_memory(error):
                raise
            raise TrainingError(f"out of memory on {self.material.device} {when}, {advice}; {self._kept()}") from None

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

    def _blame(self, what: str, batch: Batch, rollout: Rollout) -> str:
        guilty = (origin for i, origin in enumerate(batch.origins) if not self._is_sound(batch.sample(i), rollout))
        origin = next(guilty, None)
        where = "no single sample of this process alone causes it" if origin is None else f"by the sample at {origin}"
        return (
            f"the {what} is not finite in iteration {self.iteration + 1}: {where}; {self._kept()}. If the data are "
            "sound there, a smaller `optimiser.schedule.rate` or an `optimiser.clip_norm` helps"
        )

    def _is_sound(self, sample: Batch, rollout: Rollout) -> bool:
        self.optimiser.zero_grad(set_to_none=True)
        loss = self._weighted(self._terms(sample, rollout))
        if not math.isfinite(float(loss.detach())):
            return False
        loss.backward()  # type: ignore[no-untyped-call]
        gradients = (p.grad for p in self.module.parameters() if p.grad is not None)
        return all(bool(gradient.isfinite().all()) for gradient in gradients)

    def _kept(self) -> str:
        if self.best is None:
            return "the last state is kept"
        return f"the weights of iteration {self.best.iteration} and the last state are kept"

    # ------------------------------------------------------- validation, files

    def _validate(self) -> None:
        m = self.material
        if not m.processes.is_first:
            return
        hours = max(basin.validation.hours for basin in m.basins)
        with self._memory(f"validating over {hours} h of the whole domain", "make `validation.hours` smaller"):
            of_each = [validate(m.task, self.judged, basin.validation, basin.domain.dz) for basin in m.basins]
        scores = of_all(of_each)
        if len(of_each) > 1:
            name = m.config.validation.score
            words = ", ".join(f"{getattr(s, name):.4g}" for s in of_each)
            log.info("iteration %d: errors of the basins %s m", self.iteration, words)
        self._note(scores)
        score = float(getattr(scores, m.config.validation.score))
        if math.isfinite(score) and (self.best is None or score < self.best.score):
            weights = {name: value.detach().cpu().clone() for name, value in self.judged.state_dict().items()}
            self.best = Best(score, self.iteration, weights)

    def _note(self, scores: Scores) -> None:
        if self.logger is not None:
            self.logger.add(
                iteration=self.iteration,
                seconds=self.seconds,
                water_table=scores.water_table,
                water_table_median=scores.median,
                water_table_high=scores.high,
                head=scores.head,
            )
            self.logger.draw(self.folder / FIGURE, self.material.persistence.water_table)

    def _write_losses(self) -> None:
        self._mean_loss = sum(self._losses) / len(self._losses)
        self._losses = []
        if self.logger is not None:
            self.logger.add(
                iteration=self.iteration,
                seconds=self.seconds,
                loss=self._mean_loss,
                rate=float(self.optimiser.param_groups[0]["lr"]),
                gradient=self._gradient,
                hours=self.material.config.rollout(self.iteration - 1).hours,
            )

    def _words(self) -> str:
        parts = []
        if self._mean_loss is not None:
            parts.append(f"loss {self._mean_loss:.3g}")
        if self.best is not None:
            parts.append(f"best {self.best.score:.4g} m")
        return ", ".join(parts)

    def _save(self) -> None:
        m = self.material
        if m.processes.is_first:
            TrainingState(
                identity=m.identity,
                iteration=self.iteration,
                module=self.module.state_dict(),
                average=None if self.average is None else self.average.state_dict(),
                optimiser=self.optimiser.state_dict(),
                best=self.best,
                random=random_states(),
                losses=self._losses,
                seconds=self.seconds,
            ).write(self.folder / STATE)
        m.processes.wait()

    def _resume(self, state: TrainingState) -> None:
        config = self.material.config
        if state.iteration > config.iterations:
            raise ValueError(f"{state.iteration} of {config.iterations} iterations are done")
        if (self.average is None) != (state.average is None):
            raise ValueError("it has a moving average of the weights, or lacks it")
        self.module.load_state_dict(state.module)
        if self.average is not None and state.average is not None:
            self.average.load_state_dict(state.average)
        self._try_optimiser(state)
        self.optimiser.load_state_dict(state.optimiser)
        if state.best is not None:
            copy.deepcopy(self.module).load_state_dict(state.best.weights)
        self.iteration, self.seconds, self.best = state.iteration, state.seconds, state.best
        self._losses = state.losses
        set_random_states(state.random)

    def _try_optimiser(self, state: TrainingState) -> None:
        """Make a step with a copy: PyTorch looks at the moments of an optimiser only then."""
        config, trial = self.material.config, copy.deepcopy(self.module)
        optimiser = config.optimiser.build(trial.parameters())
        optimiser.load_state_dict(copy.deepcopy(state.optimiser))
        if state.iteration > 0 and not optimiser.state:
            raise ValueError("its optimiser has no moments")
        config.optimiser.adjust(optimiser, state.iteration, config.iterations)
        for parameter in trial.parameters():
            parameter.grad = torch.zeros_like(parameter)
        optimiser.step()

    def _calibration(self) -> list[Batch]:
        numbers = range(_CALIBRATION * len(self._samplers))
        return [self.batch(number, 1).to(self.material.device) for number in numbers]


def kept_module(material: Material, best: Best) -> nn.Module:
    """Make a module of the best weights."""
    module = material.module()
    module.load_state_dict(best.weights)
    return module.eval()


def _is_lack_of_memory(error: Exception) -> bool:
    # PyTorch has a class of its own for devices only
    words = ("can't allocate memory", "not enough memory")
    return isinstance(error, torch.cuda.OutOfMemoryError | MemoryError) or any(w in str(error) for w in words)
