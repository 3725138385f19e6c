"""The learned ParFlow: an action-conditioned PredRNN that learns hourly increments of pressure head.

Wang et al. (2022, IEEE TPAMI 45, 2208-2225) for the recurrent cell; Bennett et al. (2024) for its use as an emulator
of ParFlow. Everything is in normalised units (`bmi_surrogate.predrnn.normalisation`). Tensors are (batch, channel, y,
x), and layers are channels, bottom first. The modules serve inference and training alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple

import torch
from pydantic import ConfigDict
from torch import Tensor, nn
from torch.nn import functional

from bmi_surrogate.predrnn.attention import AttentionWeights, History, Pool, XYReduce, remember

NORM_EPSILON = 1.0e-6
FORGET_BIAS = 1.0

WET_HEAD = 0.1
"""Head [m] around which the scale of the state features turns from linear to logarithmic."""
SMALL_GRADIENT = 0.1
"""The same of the vertical gradient of hydraulic head [-]."""


@dataclass(frozen=True)
class Architecture:
    """What determines the shape of the network's parameters and how it uses them.

    Attributes
    ----------
    layers : int
        Layers of pressure head.
    source_layers : int
        Layers that have a source: the uppermost ones.
    statics : int
        Static channels.
    hidden : tuple of int
        Hidden channels of the cells, from the lower to the upper one; all the same, as the memory M passes them all.
    kernel : int
        Side of the convolutions, odd.
    attention : {"none", "pool", "xyconv"}
        How the hidden map of an hour is reduced to a vector for attention over the hours; ``"none"`` for no attention.
    attention_form : {"added", "published"}
        ``"added"``: attention is added to the base prediction, as the paper's text has it. ``"published"``: it replaces
        the increment of the base prediction, as the published code has it, so that an untrained network is persistence.
    attention_window : int or None
        Hours that attention looks back on, the current one included; None (published) for all since the start.
    attention_heads : int
        Heads; they divide the number of hidden channels.
    attention_dropout : float
        Fraction of attention weights dropped in training.
    attention_side : int
        Side of the only tile that ``"xyconv"`` can take.
    increments : {"pressure", "scaled"}
        Units of the increment that the network puts out: of normalised pressure (published), or ``"scaled"`` by the
        standard deviation of hourly increments of each layer, which the network stores beside its parameters.
    static_features : int
        Channels, encoded from the statics, that the lowest cell sees at every hour; 0 (published) for statics that
        enter as initial memory only.
    state_features : bool
        Whether the lowest cell sees at every hour, beside normalised pressure, the pressure head of each layer on a
        scale that resolves wet soil, and the vertical gradient of hydraulic head. The network stores what it needs to
        know them from normalised pressure.
    balance : {"open", "closed"}
        ``"closed"``: the network is trained, and has to be run, with the water balance of every column closed after
        every hour (`bmi_surrogate.predrnn.closed_balance`). ``"open"`` (published): what it puts out is taken as it is.
    base : {"persistence", "solve"}
        What the increments are added to: the pressure at the start of the hour (published), or, with a closed balance,
        what one linearised implicit solve of every column makes of it (`bmi_surrogate.structured.column_solve`).
    """

    layers: int = 11
    source_layers: int = 10
    statics: int = 46
    hidden: tuple[int, ...] = (16, 16)
    kernel: int = 3
    attention: Literal["none", "pool", "xyconv"] = "none"
    attention_form: Literal["added", "published"] = "added"
    attention_window: int | None = 24
    attention_heads: int = 8
    attention_dropout: float = 0.1
    attention_side: int = 16
    increments: Literal["pressure", "scaled"] = "pressure"
    static_features: int = 0
    state_features: bool = False
    balance: Literal["open", "closed"] = "open"
    base: Literal["persistence", "solve"] = "persistence"

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    def __post_init__(self) -> None:
        if not self.hidden or len(set(self.hidden)) != 1:
            raise ValueError(f"hidden must name the same number of channels for every cell, got {list(self.hidden)}")
        if min(self.layers, self.source_layers, self.statics, self.hidden[0], self.attention_side) < 1:
            raise ValueError("numbers of layers and channels must be at least 1")
        if self.kernel < 1 or self.kernel % 2 == 0:
            raise ValueError(f"kernel must be odd, got {self.kernel}")
        if self.attention != "none" and self.hidden[-1] % self.attention_heads:
            raise ValueError(f"attention_heads ({self.attention_heads}) must divide hidden ({self.hidden[-1]})")
        if self.static_features < 0:
            raise ValueError(f"static_features must not be negative, got {self.static_features}")
        if self.base == "solve" and self.balance == "open":
            raise ValueError("base: solve needs balance: closed")
        if self.attention_window is not None and self.attention_window < 1:
            raise ValueError(f"attention_window must be at least 1 hour, got {self.attention_window}")

    @property
    def width(self) -> int:
        """Hidden channels of a cell."""
        return self.hidden[0]

    @property
    def inputs(self) -> int:
        """Channels that the lowest cell sees, its source and memory apart."""
        return self.layers + self.static_features + (2 * self.layers - 1 if self.state_features else 0)


class ChannelNorm(nn.Module):
    """Layer normalisation over all channels of a pixel, with a weight and a bias for each channel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (batch, channel, y, x)."""
        # channels come last in memory, so that both permutations are views
        last = functional.layer_norm(x.permute(0, 2, 3, 1), self.weight.shape, self.weight, self.bias, NORM_EPSILON)
        return last.permute(0, 3, 1, 2)


def conv_norm(inputs: int, outputs: int, kernel: int) -> nn.Sequential:
    """Convolution with reflected margins, which keeps the map's size, and normalisation of its output."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, padding_mode="reflect"), ChannelNorm(outputs)
    )


class CellStep(NamedTuple):
    """What a cell gives for an hour, all (batch, hidden, y, x): state and, for the decoupling loss, increments."""

    h: Tensor
    c: Tensor
    m: Tensor
    c_increment: Tensor
    m_increment: Tensor


class STLSTMCell(nn.Module):
    """Spatiotemporal LSTM cell whose hidden state is multiplied by the source (action) of the hour.

    Parameters
    ----------
    inputs : int
        Channels of x.
    source : int
        Channels of the source.
    hidden : int
        Channels of h, c and M.
    kernel : int
        Side of the convolutions.
    """

    def __init__(self, inputs: int, source: int, hidden: int, kernel: int) -> None:
        super().__init__()
        self.hidden = hidden
        self.conv_x = conv_norm(inputs, 7 * hidden, kernel)
        self.conv_a = conv_norm(source, 4 * hidden, kernel)
        self.conv_h = conv_norm(hidden, 4 * hidden, kernel)
        self.conv_m = conv_norm(hidden, 3 * hidden, kernel)
        self.conv_o = conv_norm(2 * hidden, hidden, kernel)
        self.conv_last = nn.Conv2d(2 * hidden, hidden, 1)

    def forward(self, x: Tensor, source: Tensor, h: Tensor, c: Tensor, m: Tensor) -> CellStep:
        """Advance one hour.

        With v = LN(conv_h h) LN(conv_a a), split into i, f, g, o, and sigma the logistic function::

            c' = sigma(f_x + f_v + 1) c + sigma(i_x + i_v) tanh(g_x + g_v)
            M' = sigma(f'_x + f'_m + 1) M + sigma(i'_x + i'_m) tanh(g'_x + g'_m)
            o  = sigma(o_x + o_v + LN(conv_o [c', M']))
            h' = o tanh(conv_last [c', M'])
        """
        n = self.hidden
        from_x: Tensor = self.conv_x(x)
        from_h: Tensor = self.conv_h(h) * self.conv_a(source)
        from_m: Tensor = self.conv_m(m)
        c, c_increment = _remember(from_x[:, : 3 * n] + from_h[:, : 3 * n], c)
        m, m_increment = _remember(from_x[:, 3 * n : 6 * n] + from_m, m)
        memory = torch.cat((c, m), dim=1)
        output = torch.sigmoid(from_x[:, 6 * n :] + from_h[:, 3 * n :] + self.conv_o(memory))
        h = output * torch.tanh(self.conv_last(memory))
        return CellStep(h, c, m, c_increment, m_increment)


def _given(maps: Tensor | None) -> tuple[Tensor, ...]:
    return () if maps is None else (maps,)


def _remember(gates: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
    i, f, g = gates.chunk(3, dim=1)
    increment = torch.sigmoid(i) * torch.tanh(g)
    return torch.addcmul(increment, torch.sigmoid(f + FORGET_BIAS), memory), increment


class Memory(NamedTuple):
    """What the network carries from hour to hour, beside pressure itself.

    Attributes
    ----------
    h, c : tuple of Tensor
        Hidden and cell state of each cell, from the lower to the upper one.
    m : Tensor
        Memory that passes from cell to cell and from the top of an hour to the bottom of the next.
    history : History or None
        Hours that attention looks back on; None before the first hour and without attention.
    statics : Tensor or None
        Encoded statics that every hour sees; they do not change. None where the architecture has none.
    """

    h: tuple[Tensor, ...]
    c: tuple[Tensor, ...]
    m: Tensor
    history: History | None
    statics: Tensor | None = None


class NetworkStep(NamedTuple):
    """Result of an hour.

    Attributes
    ----------
    pressure : Tensor, shape (batch, layers, y, x)
        Normalised pressure head at the end of the hour.
    memory : Memory
        To be given to the next hour.
    cells : tuple of CellStep
        What each cell gave: the increments of c and M are for the decoupling loss.
    """

    pressure: Tensor
    memory: Memory
    cells: tuple[CellStep, ...]


class PredRNN(nn.Module):
    """Stack of spatiotemporal LSTM cells that advances pressure head by one hour at a time.

    The names of the parameters are those of the published checkpoints, which can be loaded as they are.

    Parameters
    ----------
    architecture : Architecture
        Numbers of channels, and attention.
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = a = architecture
        inputs = (a.inputs, *a.hidden[:-1])
        self.cell_list = nn.ModuleList(STLSTMCell(n, a.source_layers, a.width, a.kernel) for n in inputs)
        self.conv_last = nn.Conv2d(a.width, a.layers, 1, bias=False)
        self.memory_encoder = nn.Conv2d(a.layers, a.width, 1)
        self.cell_encoder = nn.Conv2d(a.statics, sum(a.hidden), 1)
        # only the decoupling loss uses the adapter; it is here because checkpoints hold it
        self.adapter = nn.Conv2d(a.width, a.width, 1, bias=False)
        if a.static_features:
            self.static_encoder = nn.Conv2d(a.statics, a.static_features, 1)
        if a.increments == "scaled":
            self.register_buffer("increment_scale", torch.ones(a.layers))
        if a.state_features:
            self.register_buffer("head_mean", torch.zeros(a.layers))
            self.register_buffer("head_std", torch.ones(a.layers))
            self.register_buffer("layer_distance", torch.ones(a.layers - 1))
        if a.attention != "none":
            self.attention = AttentionWeights(a.width, a.attention_heads, a.attention_dropout)
            self.scale = nn.Parameter(torch.zeros(1))
        if a.attention == "xyconv":
            self.xy_reduce: nn.Module = XYReduce(a.width, a.attention_side)
        elif a.attention == "pool":
            self.xy_reduce = Pool()
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def start(self, pressure: Tensor, statics: Tensor) -> Memory:
        """Memory before the first hour.

        Parameters
        ----------
        pressure : Tensor, shape (batch, layers, y, x)
            Normalised initial pressure head.
        statics : Tensor, shape (batch, channels, y, x)
            Standardised static fields.
        """
        m: Tensor = self.memory_encoder(pressure.contiguous(memory_format=torch.channels_last))
        statics = statics.contiguous(memory_format=torch.channels_last)
        c: Tensor = self.cell_encoder(statics)
        # tensors of their own, as dense as what a step gives: else a compiled step is compiled anew for the second hour
        h = tuple(torch.zeros_like(m) for _ in self.cell_list)
        c_of_cells = tuple(
            part.contiguous(memory_format=torch.channels_last)
            for part in torch.split(c, self.architecture.width, dim=1)
        )
        return Memory(h, c_of_cells, m, None, self.encode_statics(statics))

    def encode_statics(self, statics: Tensor) -> Tensor | None:
        """Encode standardised static fields (batch, channels, y, x) as every hour sees them; None if it does not."""
        if not self.architecture.static_features:
            return None
        seen: Tensor = self.static_encoder(statics.contiguous(memory_format=torch.channels_last))
        return seen

    def step(self, pressure: Tensor, source: Tensor, memory: Memory) -> NetworkStep:
        """Advance one hour.

        Parameters
        ----------
        pressure : Tensor, shape (batch, layers, y, x)
            Normalised pressure head at the start of the hour.
        source : Tensor, shape (batch, source layers, y, x)
            Normalised net source of water during the hour.
        memory : Memory
            From `start` or from the hour before.
        """
        m = memory.m
        x = torch.cat((pressure, *self._state_features(pressure), *_given(memory.statics)), dim=1)
        cells: list[CellStep] = []
        for cell, h, c in zip(self.cell_list, memory.h, memory.c, strict=True):
            done: CellStep = cell(x, source, h, c, m)
            cells.append(done)
            x, m = done.h, done.m
        increment, history = self._increment(x, memory.history)
        carried = Memory(tuple(s.h for s in cells), tuple(s.c for s in cells), m, history, memory.statics)
        return NetworkStep(pressure + increment, carried, tuple(cells))

    def _state_features(self, pressure: Tensor) -> tuple[Tensor, ...]:
        if not self.architecture.state_features:
            return ()
        mean, std, distance = (
            self.get_buffer(name)[:, None, None] for name in ("head_mean", "head_std", "layer_distance")
        )
        head = mean + std * pressure
        gradient = head.diff(dim=1) / distance + 1.0
        return torch.asinh(head / WET_HEAD), torch.asinh(gradient / SMALL_GRADIENT)

    def _increment(self, top: Tensor, history: History | None) -> tuple[Tensor, History | None]:
        a = self.architecture
        if a.attention == "none":
            return self._to_pressure(top), None
        vectors: Tensor = self.xy_reduce(top)
        history = remember(history, top, vectors, a.attention_window)
        weights = self.attention(vectors, history.vectors)
        attended = self.scale * self._to_pressure(torch.einsum("bt,btchw->bchw", weights, history.maps))
        return (attended if a.attention_form == "published" else self._to_pressure(top) + attended), history

    def _to_pressure(self, top: Tensor) -> Tensor:
        increment: Tensor = self.conv_last(top)
        if self.architecture.increments == "scaled":
            increment = increment * self.get_buffer("increment_scale")[:, None, None]
        return increment

    def forward(self, pressure: Tensor, sources: Tensor, statics: Tensor) -> Tensor:
        """Roll out from an initial state.

        Parameters
        ----------
        pressure : Tensor, shape (batch, layers, y, x)
            Normalised initial pressure head.
        sources : Tensor, shape (batch, hours, source layers, y, x)
            Normalised net source of every hour.
        statics : Tensor, shape (batch, channels, y, x)
            Standardised static fields.

        Returns
        -------
        Tensor, shape (batch, hours, layers, y, x)
            Normalised pressure head at the end of every hour.
        """
        memory = self.start(pressure, statics)
        outputs: list[Tensor] = []
        for source in sources.unbind(dim=1):
            done = self.step(pressure, source, memory)
            pressure, memory = done.pressure, done.memory
            outputs.append(pressure)
        return torch.stack(outputs, dim=1)
