"""Small domains and untrained networks for the tests of the surrogate."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

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


def save_published(checkpoint: PredRNNCheckpoint, folder: Path) -> dict[str, Any]:
    """Save a checkpoint in the published format, without statistics of the statics; returns the keys that read it."""
    torch.save({"net_param": dict(checkpoint.network.state_dict())}, folder / "model.ckpt-1")
    s = checkpoint.statistics
    published = {
        "target_mean": s.pressure.mean.tolist(),
        "target_std": s.pressure.std.tolist(),
        "force_mean": [0.0, *s.source.mean.tolist()],
        "force_std": [0.0, *s.source.std.tolist()],
    }
    (folder / "stats.yaml").write_text(yaml.safe_dump(published))
    return {"checkpoint": "model.ckpt-1", "statistics": "stats.yaml", "tile": checkpoint.tile}
