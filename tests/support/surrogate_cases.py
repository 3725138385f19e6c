"""Small domains and untrained networks for the tests of the surrogate."""

from typing import Any

import numpy as np
import torch

from bmi_surrogate import Architecture, PredRNN, PredRNNCheckpoint
from bmi_surrogate.predrnn.normalisation import Moments, Statistics

LAYERS = [20.0, 1.1, 0.9, 0.55, 0.34, 0.2, 0.12, 0.075, 0.045, 0.028, 0.0175]
NY, NX = 18, 21


def make_checkpoint(
    statics: Moments | None = None, tile: int = 8, seed: int = 1, **architecture: Any
) -> PredRNNCheckpoint:
    """Network of random weights that changes every layer by some millimetres an hour."""
    torch.manual_seed(seed)
    network = PredRNN(Architecture(**architecture)).eval()
    layers, source_layers = network.architecture.layers, network.architecture.source_layers
    count = network.architecture.statics
    return PredRNNCheckpoint(
        network,
        Statistics(
            Moments.of(np.linspace(20.0, -0.5, layers), np.linspace(3.0, 0.5, layers)),
            Moments.of(np.full(source_layers, 1e-4), np.full(source_layers, 1e-2)),
            statics or Moments.of(np.zeros(count), np.ones(count)),
        ),
        tile=tile,
        layer_thickness=tuple(LAYERS) if layers == len(LAYERS) else None,
        provenance={"weights": f"random, seed {seed}"},
    )
