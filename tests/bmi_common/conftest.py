from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from fakes import RAIN, Bucket

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a text file below `tmp_path`, by default ``config.yaml``, and return its path."""

    def writer(text: str, name: str = "config.yaml") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return writer


@pytest.fixture
def config(write: Write) -> str:
    return str(write("nx: 4\nny: 3\n"))


@pytest.fixture
def bucket(config: str) -> Iterator[Bucket]:
    """An initialized component whose input is not supplied yet."""
    component = Bucket()
    component.initialize(config)
    yield component
    component.finalize()


@pytest.fixture
def rained_on(bucket: Bucket) -> Bucket:
    """An initialized component with 1 mm of rain an hour."""
    bucket.set_value(RAIN, np.full(12, 1.0 / 3600.0))
    return bucket
