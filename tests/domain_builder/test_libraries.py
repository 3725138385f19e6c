"""Without the extra there is one message."""

import importlib

import pytest

from bmi_common.errors import ConfigError
from rootzone.domain_builder import libraries


def test_a_library_that_is_missing_is_one_message(monkeypatch):
    def missing(name: str) -> None:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(ConfigError, match=r"needs rasterio, which is not installed: pip install 'rootzone\[domain\]'"):
        libraries.require_libraries()
