"""Attention over the hours done: the variants ``pool`` and ``xyconv`` of the network.

The top hidden map of every hour is reduced to a vector; the current hour's vector asks those of the hours so far, and
the answer weights their hidden maps (Bennett et al. 2024; multi-head weights after Vaswani et al. 2017).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional


class History(NamedTuple):
    """Hours that attention can look back on, the oldest first.

    Attributes
    ----------
    maps : Tensor, shape (batch, hours, hidden, y, x)
        Top hidden maps.
    vectors : Tensor, shape (batch, hours, hidden)
        The same, reduced.
    """

    maps: Tensor
    vectors: Tensor


class Pool(nn.Module):
    """Reduce a map to its horizontal mean."""

    def forward(self, maps: Tensor) -> Tensor:
        """Return (batch, channels) from (batch, channels, y, x)."""
        return maps.mean(dim=(2, 3))


class XYReduce(nn.Sequential):
    """Reduce a square map by two depthwise convolutions as long as its side: along y, then along x."""

    def __init__(self, channels: int, side: int) -> None:
        super().__init__(
            nn.Conv2d(channels, channels, (side, 1), stride=(side, 1), groups=channels, bias=False),
            nn.Conv2d(channels, channels, (1, side), stride=(1, side), groups=channels, bias=False),
        )

    def forward(self, maps: Tensor) -> Tensor:
        """Return (batch, channels) from (batch, channels, side, side)."""
        y_reduce, x_reduce = self
        return torch.flatten(x_reduce(y_reduce(maps)), start_dim=1)


class AttentionWeights(nn.Module):
    """Weights of past hours: scaled dot products of projected vectors, softmax, mean over the heads.

    The parameters are those of a full multi-head attention, as published; the projections of values and output take
    part in nothing, because only the weights are used.
    """

    def __init__(self, embedding: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.dropout = dropout
        self.in_proj_weight = nn.Parameter(torch.empty(3 * embedding, embedding))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * embedding))
        self.out_proj = nn.Linear(embedding, embedding)
        nn.init.xavier_uniform_(self.in_proj_weight)

    def forward(self, query: Tensor, keys: Tensor) -> Tensor:
        """Return weights (batch, hours) of `keys` (batch, hours, embedding) for `query` (batch, embedding)."""
        batch, hours, embedding = keys.shape
        size = embedding // self.heads
        w, b = self.in_proj_weight, self.in_proj_bias
        q = functional.linear(query, w[:embedding], b[:embedding]).view(batch, self.heads, 1, size)
        k = functional.linear(keys, w[embedding : 2 * embedding], b[embedding : 2 * embedding])
        k = k.view(batch, hours, self.heads, size).permute(0, 2, 3, 1)
        weights = torch.softmax((q @ k).squeeze(2) * size**-0.5, dim=-1)
        return functional.dropout(weights, self.dropout, self.training).mean(dim=1)


def remember(history: History | None, maps: Tensor, vectors: Tensor, window: int | None) -> History:
    """Append an hour to the history and forget what lies before the last `window` hours (None: forget nothing)."""
    new_maps, new_vectors = maps.unsqueeze(1), vectors.unsqueeze(1)
    if history is None:
        return History(new_maps, new_vectors)
    first = 0 if window is None else max(0, history.maps.shape[1] + 1 - window)
    return History(
        torch.cat((history.maps[:, first:], new_maps), dim=1),
        torch.cat((history.vectors[:, first:], new_vectors), dim=1),
    )
