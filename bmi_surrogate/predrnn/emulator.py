"""A trained network at work on a domain: tiles, normalisation, device, and the memory carried from hour to hour."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bmi_common import ConfigError
from bmi_common.arrays import Array
from bmi_common.partition import Part
from bmi_common.state_file import StateArray, fingerprint
from bmi_surrogate.compute import compiling, find_device, require_compiler, using_threads
from bmi_surrogate.predrnn.attention import History
from bmi_surrogate.predrnn.checkpoint import PredRNNCheckpoint
from bmi_surrogate.predrnn.network import Architecture, Memory, NetworkStep, PredRNN
from bmi_surrogate.predrnn.normalisation import Normaliser, standardise_statics
from bmi_surrogate.predrnn.shared_tiling import SharedTiling
from bmi_surrogate.predrnn.tiling import Tiling

_BLOCK = 32
"""Tiles computed together on a CPU, where their intermediate results stay in its caches; on a GPU all are."""


@dataclass(frozen=True)
class PredRNNOptions:
    """How to run a network.

    Attributes
    ----------
    tile : int or "whole" or None
        Side of the tiles [cells], or the whole domain at once; None for the size that the network was trained on.
    overlap : {"independent", "averaged"}
        What becomes of pressure where tiles overlap. ``"independent"``, as published: every tile goes on with its own.
        ``"averaged"``: all go on with the mean, which is also what is given out. Hidden states and memories stay with
        their tile in either case.
    device : str
        ``"auto"`` (CUDA where there is a device, otherwise CPU) or a name that PyTorch knows.
    threads : int or None
        Threads on a CPU; None for PyTorch's choice.
    compile : bool
        Compile the step (takes about a minute, needs a C++ compiler on a CPU).
    precision : {"float32", "float64"}
        Of weights and states.
    """

    tile: int | Literal["whole"] | None = None
    overlap: Literal["independent", "averaged"] = "independent"
    device: str = "auto"
    threads: int | None = None
    compile: bool = False
    precision: Literal["float32", "float64"] = "float32"


@dataclass
class _Block:
    """Tiles that are computed together: their range among all tiles, and their memory."""

    tiles: slice
    memory: Memory


class PredRNNEmulator:
    """Advances the pressure head of a domain by a trained network, hour by hour.

    Parameters
    ----------
    checkpoint : PredRNNCheckpoint
        Network and statistics, those of the statics included.
    statics : ndarray, shape (channels, ny, nx)
        Static fields as they are, not standardised.
    mask : ndarray of bool, shape (ny, nx), optional
        Active cells. The network takes inactive ones for the mean of its training data, at all times.
    options : PredRNNOptions
        How to run.
    part : Part, optional
        Which part of the domain the fields are of, where processes share it; they call all of this together.

    Raises
    ------
    ConfigError
        If shapes do not fit the network, the device does not exist, a tile does not fit the domain, a static channel
        cannot be standardised, or the step cannot be compiled.
    """

    def __init__(
        self,
        checkpoint: PredRNNCheckpoint,
        statics: Array,
        mask: NDArray[np.bool_] | None = None,
        options: PredRNNOptions | None = None,
        part: Part | None = None,
    ) -> None:
        options = options or PredRNNOptions()
        a = checkpoint.network.architecture
        if checkpoint.statistics.statics is None:
            raise ConfigError("the checkpoint does not store the statistics of its statics; give them")
        if statics.ndim != 3 or len(statics) != a.statics:
            raise ConfigError(f"the network has {a.statics} static channels, the fields have the shape {statics.shape}")
        self.options = options
        self.device = find_device(options.device)
        self.dtype = torch.float64 if options.precision == "float64" else torch.float32
        shape = (statics.shape[1], statics.shape[2]) if part is None else part.shape
        tile = _tile(checkpoint, shape, options.tile)
        self._block = _BLOCK if self.device.type == "cpu" else None
        self.tiling: Tiling | SharedTiling
        if part is None:
            self.tiling = Tiling(shape, tile, mask, self.device)
        else:
            self.tiling = SharedTiling(part, tile, self._block, self.device)
        self._pressure = Normaliser(checkpoint.statistics.pressure, self.device, self.dtype)
        self._source = Normaliser(checkpoint.statistics.source, self.device, self.dtype)
        self._statics = self._tiles(standardise_statics(statics, checkpoint.statistics.statics, mask))
        whole = mask is None or (part is None and bool(mask.all()))
        self._inactive = None if whole else self.tiling.split(self._tensor(~np.asarray(mask)[np.newaxis]).bool())
        # a copy, so that precision and device of other users of the checkpoint stay as they are
        self._network = PredRNN(a).eval()
        self._network.load_state_dict(checkpoint.network.state_dict())
        self._network.to(self.device, self.dtype)
        self._step: Callable[[Tensor, Tensor, Memory], NetworkStep] = self._network.step
        self._x = torch.empty(0)
        self._blocks: list[_Block] = []
        self._fingerprint = _fingerprint(checkpoint)
        if options.compile:
            self._compile()

    @torch.inference_mode()
    def start(self, head: Array) -> None:
        """Begin with a pressure head [m], shape (layers, ny, nx), and the memory that the network makes of it."""
        with self.computing():
            self._x = self._blank(self._pressure.normalise(self._tiles(head)))
            count = self.tiling.count
            size = self._block or max(count, 1)
            ranges = [slice(i, min(i + size, count)) for i in range(0, count, size)]
            self._blocks = [_Block(r, self._network.start(self._x[r], self._statics[r])) for r in ranges]

    @torch.inference_mode()
    def set_head(self, head: Array, changed: NDArray[np.bool_]) -> None:
        """Replace the pressure head [m] of the `changed` cells, both (layers, ny, nx), in every tile; memory stays."""
        with self.computing():
            new = self._pressure.normalise(self._tiles(np.where(changed, head, 0.0)))
            self._x = self._blank(torch.where(self._tiles(changed).bool(), new, self._x))

    def replace_head(self, head: Tensor) -> None:
        """Replace the pressure head [m] of all cells, (layers, ny, nx), in every tile; memory stays."""
        self._x = self._blank(self._pressure.normalise(self.tiling.split(head.to(self.dtype))))

    @torch.inference_mode()
    def step(self, source: Array) -> Array:
        """Advance one hour.

        Parameters
        ----------
        source : ndarray, shape (source layers, ny, nx)
            Net source of water [h-1], into the soil positive.

        Returns
        -------
        ndarray, shape (layers, ny, nx)
            Pressure head [m] at the end of the hour; without meaning in inactive cells.
        """
        with self.computing():
            head: Array = self.advance(self._tensor(source)).cpu().numpy()
            return head

    def advance(self, source: Tensor) -> Tensor:
        """As `step`, with tensors on the device of the network; the head is in double precision."""
        a = self._blank(self._source.normalise(self.tiling.split(source.to(self.dtype))))
        x = torch.empty_like(self._x)
        for block in self._blocks:
            done = self._step(self._x[block.tiles], a[block.tiles], block.memory)
            x[block.tiles], block.memory = done.pressure, done.memory
        self._x = self._blank(x)
        field = self.tiling.assemble(self._x)
        if self.options.overlap == "averaged":
            self._x = self.tiling.split(field)
        return self._pressure.restore(field[None])[0].to(torch.float64)

    def state_dict(self) -> dict[str, StateArray]:
        """Return what the next step depends on, for all tiles: normalised pressure and the memory of the network."""
        with torch.inference_mode():
            blocks = [b.memory for b in self._blocks]
            a = self._network.architecture
            none = self._x.new_empty((0, a.width, *self.tiling.tile))  # of a process without a tile
            found = {"pressure": StateArray(_array(self._x), ("tile", "layer", "tile_y", "tile_x"))}
            maps = ("tile", "channel", "tile_y", "tile_x")
            for k in range(len(a.hidden)):
                found[f"h_{k}"] = StateArray(_array(torch.cat([none, *(b.h[k] for b in blocks)])), maps)
                found[f"c_{k}"] = StateArray(_array(torch.cat([none, *(b.c[k] for b in blocks)])), maps)
            found["m"] = StateArray(_array(torch.cat([none, *(b.m for b in blocks)])), maps)
            if a.attention != "none":
                history = [b.history or _no_history(b.m) for b in blocks] or [_no_history(none)]
                past = ("tile", "hour", "channel", "tile_y", "tile_x")
                found["history_maps"] = StateArray(_array(torch.cat([h.maps for h in history])), past, growing="hour")
                found["history_vectors"] = StateArray(
                    _array(torch.cat([h.vectors for h in history])), past[:3], growing="hour"
                )
            return found

    @torch.inference_mode()
    def load_state_dict(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from what `state_dict` gave, which must come from the same network, tiles and precision."""
        there = {name: torch.from_numpy(np.array(a)).to(self.device) for name, a in state.items()}
        self._x = there["pressure"].contiguous(memory_format=torch.channels_last)
        for block in self._blocks:
            # the layout in memory decides which convolution is used, and so the rounding
            mine = {n: t[block.tiles] for n, t in there.items()}
            maps = {n: t.contiguous(memory_format=torch.channels_last) for n, t in mine.items() if t.ndim == 4}
            cells = range(len(block.memory.h))
            history = None
            if mine.get("history_maps", torch.empty(0, 0)).shape[1]:
                history = History(mine["history_maps"].clone(), mine["history_vectors"].clone())
            block.memory = Memory(
                tuple(maps[f"h_{k}"] for k in cells),
                tuple(maps[f"c_{k}"] for k in cells),
                maps["m"],
                history,
                block.memory.statics,  # they follow from the network and the domain
            )

    @property
    def architecture(self) -> Architecture:
        """Of the network."""
        return self._network.architecture

    @property
    def fingerprint(self) -> str:
        """Hash of parameters, architecture and statistics."""
        return self._fingerprint

    @torch.inference_mode()
    def tile_pressure(self) -> Tensor:
        """Normalised pressure head of every tile, shape (tiles, layers, y, x)."""
        return self._x.clone()

    def _tensor(self, field: NDArray[np.float64] | NDArray[np.bool_]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(field)).to(self.device, self.dtype)

    def _tiles(self, field: NDArray[np.float64] | NDArray[np.bool_]) -> Tensor:
        return self.tiling.split(self._tensor(field))

    def _blank(self, tiles: Tensor) -> Tensor:
        return tiles if self._inactive is None else tiles.masked_fill(self._inactive, 0.0)

    @contextmanager
    def computing(self) -> Iterator[None]:
        """Use the configured threads and, on a GPU, convolutions of full precision."""
        with ExitStack() as stack:
            stack.enter_context(using_threads(self.options.threads))
            if self.device.type == "cuda":
                # cuDNN otherwise rounds the factors of float32 convolutions to ten bits (TF32)
                stack.enter_context(torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False))
            yield

    def _compile(self) -> None:
        require_compilable(self._network.architecture, self.device)
        eager = self._step
        # the whole step or an error: PyTorch would otherwise go on uncompiled where it gives up
        self._step = torch.compile(eager, dynamic=False, fullgraph=True)
        a = self._network.architecture
        zeros = np.zeros((a.layers, *self.tiling.shape))
        with compiling():
            self.start(zeros)
            self.step(zeros[: a.source_layers])


def require_compilable(architecture: Architecture, device: torch.device) -> None:
    """Raise `ConfigError` where `torch.compile` cannot serve a network of this architecture on the device."""
    if architecture.attention != "none":
        raise ConfigError("compile: true is not possible with attention, whose history grows with every hour")
    require_compiler(device)


def _array(tensor: Tensor) -> NDArray[Any]:
    values: NDArray[Any] = tensor.to("cpu").contiguous().numpy()
    return values


def _no_history(m: Tensor) -> History:
    tiles, channels, ny, nx = m.shape
    return History(m.new_empty((tiles, 0, channels, ny, nx)), m.new_empty((tiles, 0, channels)))


def _fingerprint(checkpoint: PredRNNCheckpoint) -> str:
    s = checkpoint.statistics
    parts: list[NDArray[Any] | str] = [repr(checkpoint.network.architecture)]
    parts += [a for m in (s.pressure, s.source, s.statics) if m is not None for a in (m.mean, m.std)]
    for name, parameter in sorted(checkpoint.network.state_dict().items()):
        parts += [name, _array(parameter)]
    return fingerprint(*parts)


def _tile(checkpoint: PredRNNCheckpoint, shape: tuple[int, int], tile: int | str | None) -> tuple[int, int]:
    a = checkpoint.network.architecture
    side = tile or checkpoint.tile
    size = shape if side == "whole" else (int(side),) * 2
    if a.attention == "xyconv" and size != (a.attention_side,) * 2:
        raise ConfigError(
            f"tile: the network's attention (xyconv) takes only tiles of {a.attention_side} cells, "
            f"not {size[0]} x {size[1]}"
        )
    if min(size) <= a.kernel // 2:
        raise ConfigError(f"tile: a side of {min(size)} cells is too short for a kernel of {a.kernel}")
    return size
