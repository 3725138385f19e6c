"""The pytest plugin: ``pytest --bmi=package:Class --bmi-config=file`` runs the checks on a component.

Without ``--bmi`` it does nothing. It imports nothing heavy, because pytest imports it in every session.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from bmi_conformance.checks import Report, Subject

_SUITE = Path(__file__).with_name("suite.py")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options."""
    group = parser.getgroup("bmi", "conformance of a component with the Basic Model Interface")
    group.addoption("--bmi", metavar="PACKAGE:CLASS", help="check this class; without test paths run only its checks")
    group.addoption("--bmi-config", metavar="FILE", default="", help="its configuration file")
    group.addoption("--bmi-steps", metavar="N", type=int, default=3, help="steps that the checks take (default: 3)")
    group.addoption(
        "--bmi-input",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="an input that must be supplied and a uniform value for it; may be repeated",
    )
    group.addoption(
        "--bmi-missing",
        metavar="VALUE",
        type=float,
        default=None,
        help="value (or nan) that marks cells without values; accepted where it stands from the start",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Run the suite of this package where a class is given and no test paths are."""
    if config.getoption("--bmi") is None:
        return
    if config.args_source is not pytest.Config.ArgsSource.ARGS:
        config.args = [str(_SUITE)]
    here = str(config.invocation_params.dir)
    if here not in sys.path:  # as `python -m pytest` does: a class beside the configuration can be named
        sys.path.insert(0, here)
    config.stash[_SUBJECT] = _subject(config)


_SUBJECT: pytest.StashKey[Subject] = pytest.StashKey()


def _subject(config: pytest.Config) -> Subject:
    from bmi_conformance.checks import Subject, load_class

    try:
        file = config.getoption("--bmi-config")
        if file:
            path = config.invocation_params.dir / file
            if not path.is_file():
                raise ValueError(f"--bmi-config: {path} does not exist")
            file = str(path)
        inputs = dict(_value(text) for text in config.getoption("--bmi-input"))
        return Subject(
            load_class(config.getoption("--bmi")),
            file,
            inputs,
            config.getoption("--bmi-steps"),
            config.getoption("--bmi-missing"),
        )
    except ValueError as error:
        raise pytest.UsageError(str(error)) from error


def _value(text: str) -> tuple[str, float]:
    name, _, value = text.rpartition("=")
    try:
        if name:
            return name, float(value)
    except ValueError:
        pass
    raise ValueError(f"--bmi-input: {text!r}; write NAME=VALUE with a number")


@pytest.fixture(scope="session")
def bmi_subject(request: pytest.FixtureRequest) -> Subject:
    """Give the component of the command line; skips tests that ask for it without ``--bmi``."""
    if _SUBJECT not in request.config.stash:
        pytest.skip("no component is given; use --bmi=package:Class")
    return request.config.stash[_SUBJECT]


@pytest.fixture(scope="session")
def bmi_report(bmi_subject: Subject) -> Report:
    """Results of the checks of `bmi_subject`, each run once a session."""
    from bmi_conformance.checks import Report

    return Report(bmi_subject)
