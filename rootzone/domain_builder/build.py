"""From ``basin.yaml`` to a folder that `bmi-run` takes."""

from __future__ import annotations

import gc
import shlex
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path

import yaml

from bmi_common.config import Document, load_config, read_yaml, validate
from bmi_common.domain import Domain, DomainConfig
from bmi_common.domain_checks import Finding, examine
from bmi_common.errors import ConfigError, together
from bmi_common.owned_folder import new_folder
from coupler.config import load_run
from coupler.preparation import prepare
from rootzone.domain_builder.basin import read_basin
from rootzone.domain_builder.catalog import name_files
from rootzone.domain_builder.checks import examine_basin
from rootzone.domain_builder.config import BasinConfig
from rootzone.domain_builder.libraries import require_libraries
from rootzone.domain_builder.report import write_report
from rootzone.domain_builder.write import DOMAIN, LAND, REPORT, RUN, SPIN_UP, files_of, write_basin


@dataclass(frozen=True)
class Built:
    """A basin that is built: what there is to say about it, and the commands that come next."""

    findings: list[Finding]
    commands: list[str]


def build(config_file: Path, target: Path | None, overwrite: bool = False) -> Built:
    """Build a basin from maps.

    Parameters
    ----------
    config_file : Path
        ``basin.yaml``.
    target : Path, optional
        New folder for the basin; without it the maps are read and checked, and nothing is written.
    overwrite : bool
        Replace an earlier basin in `target`.

    Raises
    ------
    ConfigError
        Naming file, key and line; then `target` is as it was.
    """
    require_libraries()
    document = read_yaml(config_file)
    name_files(document)
    config = validate(document, BasinConfig, paths={})
    if target is None:
        with tempfile.TemporaryDirectory() as folder:
            return _make(config, document, Path(folder), Path(folder))
    with new_folder(target, "basin", overwrite) as owned:
        owned.require_room(files_of(config))
        with owned.staging(beside=True) as staging:
            return _make(config, document, staging, target)


def _make(config: BasinConfig, document: Document, staging: Path, target: Path) -> Built:
    commands = _commands(config, target)
    try:
        basin = read_basin(config)
        write_basin(config, basin, staging, document.path.parent, target)
    except ConfigError as error:
        raise document.located(error) from None
    findings = examine_basin(config, basin)
    domain = _read_back(document, staging)
    findings = [*examine(domain), *findings]
    write_report(config, basin, findings, commands, staging / REPORT, target)
    del domain, basin
    gc.collect()  # the proof reads all of it once more
    with warnings.catch_warnings(record=True) as kept:
        warnings.simplefilter("default")
        _prove(document, staging)
    told = dict.fromkeys(str(w.message) for w in kept if w.category.__module__.startswith(_OURS))
    return Built([*findings, *(Finding(message, doubtful=True) for message in told)], commands)


def _commands(config: BasinConfig, target: Path) -> list[str]:
    runs = [] if config.initial.recharge is None else [SPIN_UP]
    runs += [] if config.forcing is None else [RUN]
    return [shlex.join(["bmi-run", str(target / file)]) for file in runs]


def _read_back(document: Document, staging: Path) -> Domain:
    """Read the domain as components will."""
    try:
        return Domain.load(load_config(staging / DOMAIN, DomainConfig))
    except ConfigError as error:
        raise _of_basin(error, document, staging) from None


def _prove(document: Document, staging: Path) -> None:
    """Start the runs and stop them before their first step: what cannot run is not ready."""
    for name in (SPIN_UP, RUN):
        if not (staging / name).exists():
            continue
        try:
            with tempfile.TemporaryDirectory() as completed:
                prepare(load_run(_without_spun_up_state(staging, name)), Path(completed)).finalize()
        except ConfigError as error:
            raise _of_basin(error, document, staging) from None
        finally:
            (staging / _PROOF).unlink(missing_ok=True)


_PROOF = ".proof.yaml"
_OURS = ("bmi_", "coupler", "rootzone")
"""Packages whose warnings are about the basin."""


def _without_spun_up_state(staging: Path, name: str) -> Path:
    """Copy a run to one that does not need the state of a spin-up that nobody has made yet."""
    content = yaml.safe_load((staging / name).read_text(encoding="utf-8"))
    groundwater = content["components"]["groundwater"]
    if groundwater.pop("replace", None) is not None:
        del groundwater["options"]
    path = staging / _PROOF
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return path


def _of_basin(error: ConfigError, document: Document, staging: Path) -> ConfigError:
    """Return a mistake of a file that nobody has seen as one of ``basin.yaml``."""

    def placed(mistake: ConfigError) -> ConfigError:
        message = mistake.message.replace(f"{staging}/", "")
        head = mistake.key.split(".")[0]
        if head == "forcing" or (document.data.get("land") and head in document.data["land"]):
            key = mistake.key if head == "forcing" else f"land.{mistake.key}"
            return document.located(ConfigError(message, key=key))
        name = "" if mistake.file is None else Path(mistake.file).name
        if name == LAND and not mistake.key:  # weather that does not fit
            return document.located(ConfigError(message, key="forcing"))
        parts = ("the basin cannot run", name, mistake.key, message)
        return ConfigError(": ".join(part for part in parts if part), file=document.path)

    return together(map(placed, error.mistakes))
