"""Whether what only the surrogates need is installed."""

from __future__ import annotations

from importlib.util import find_spec

_PACKAGES = ("torch", "safetensors")


def require_pytorch() -> None:
    """Raise `ImportError`, saying how to install it, if PyTorch or the reader of weights is not there."""
    missing = [package for package in _PACKAGES if find_spec(package) is None]
    if missing:
        raise ImportError(
            f"surrogates need PyTorch ({', '.join(missing)} missing): pip install 'rootzone[surrogate]'",
            name=missing[0],
        )
