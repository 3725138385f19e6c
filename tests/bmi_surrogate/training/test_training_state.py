"""A state is resumed by its own training only, and only whole."""

import io
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from training_cases import after, assert_same, contents, domain_section, material_of, state_of, train, write_config

from bmi_common import ConfigError
from bmi_common.owned_folder import RECORD
from bmi_surrogate.training import training_state
from bmi_surrogate.training.store import HEAD
from bmi_surrogate.training.trainer import STATE
from bmi_surrogate.training.training_state import Best, TrainingState

pytestmark = [pytest.mark.usefixtures("no_figures"), pytest.mark.slow]
IDENTITY = {"a": "1"}


def make_state() -> TrainingState:
    weights = {"w": torch.arange(12.0)}
    return TrainingState(
        IDENTITY, 3, weights, None, {"state": {}}, Best(0.1, 2, weights), (torch.get_rng_state(),), [0.5, 0.25], 7.5
    )


def test_a_state_is_read_as_it_was_written(tmp_path: Path) -> None:
    path, state = tmp_path / STATE, make_state()
    state.write(path)
    found = TrainingState.read(path, IDENTITY)
    assert found is not None
    assert_same(vars(found) | {"best": vars(found.best)}, vars(state) | {"best": vars(state.best)})
    assert [p.name for p in tmp_path.iterdir()] == [STATE]


def test_no_state_is_no_mistake(tmp_path: Path) -> None:
    assert TrainingState.read(tmp_path / STATE, IDENTITY) is None


def test_damage_anywhere_is_found(tmp_path: Path) -> None:
    """PyTorch's own format does not notice a changed bit in the middle of a tensor."""
    path = tmp_path / STATE
    make_state().write(path)
    whole = path.read_bytes()
    for position in (0, 10, 30, 60, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 1]) + whole[position + 1 :])
        with pytest.raises(ConfigError, match=r"state\.pt: is not a whole training state"):
            TrainingState.read(path, IDENTITY)
    for length in (0, 5, 40, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(ConfigError, match=r"state\.pt: is not a whole training state"):
            TrainingState.read(path, IDENTITY)


def test_other_versions_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / STATE
    with monkeypatch.context() as patch:
        patch.setattr(training_state, "VERSION", 1)
        make_state().write(path)
    with pytest.raises(ConfigError, match="another version of this program; remove the folder"):
        TrainingState.read(path, IDENTITY)


def test_a_plain_file_of_pytorch_is_refused(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    torch.save({"version": training_state.VERSION}, buffer)
    (tmp_path / STATE).write_bytes(buffer.getvalue())
    with pytest.raises(ConfigError, match="is not a whole training state"):
        TrainingState.read(tmp_path / STATE, IDENTITY)


# ------------------------------------------------------------------------------ whole, with other contents


def first_parameter(content: dict[str, Any]) -> str:
    return next(name for name, value in content["module"].items() if value.ndim > 0)


def no_parameter(content: dict[str, Any]) -> None:
    del content["module"][first_parameter(content)]


def other_shape(content: dict[str, Any]) -> None:
    content["module"][first_parameter(content)] = torch.zeros(3, 1, 4)


def words(content: dict[str, Any]) -> None:
    content["module"][first_parameter(content)] = "weights"


def no_average(content: dict[str, Any]) -> None:
    content["average"] = None


def average_of_another(content: dict[str, Any]) -> None:
    content["average"] = {"w": torch.ones(2)}


def no_moments(content: dict[str, Any]) -> None:
    content["optimiser"]["state"] = {}


def half_the_moments(content: dict[str, Any]) -> None:
    del content["optimiser"]["state"][0]["exp_avg_sq"]


def moments_of_another(content: dict[str, Any]) -> None:
    content["optimiser"]["state"][0]["exp_avg"] = torch.zeros(7)


def no_groups(content: dict[str, Any]) -> None:
    content["optimiser"]["param_groups"] = []


def no_betas(content: dict[str, Any]) -> None:
    del content["optimiser"]["param_groups"][0]["betas"]


def best_of_another(content: dict[str, Any]) -> None:
    content["best"]["weights"] = {"w": torch.ones(2)}


def best_without_a_score(content: dict[str, Any]) -> None:
    content["best"]["score"] = "good"


def short_random_numbers(content: dict[str, Any]) -> None:
    content["random"] = (content["random"][0][:7],)


def no_random_numbers(content: dict[str, Any]) -> None:
    content["random"] = ()


def losses_in_words(content: dict[str, Any]) -> None:
    content["losses"] = ["low"]


def too_many_iterations(content: dict[str, Any]) -> None:
    content["iteration"] = 10**6


@pytest.mark.parametrize(
    "spoil",
    [
        no_parameter, other_shape, words, no_average, average_of_another, no_moments, half_the_moments,
        moments_of_another, no_groups, no_betas, best_of_another, best_without_a_score, short_random_numbers,
        no_random_numbers, losses_in_words, too_many_iterations,
    ],
)  # fmt: skip
def test_a_state_with_its_digest_and_other_contents_is_named_and_left(stopped: Path, spoil: Any) -> None:
    path = stopped / "out" / "seed_0" / STATE
    content = torch.load(
        io.BytesIO(path.read_bytes()[len(training_state._MAGIC) + training_state._DIGEST :]), weights_only=True
    )
    spoil(content)
    best = None if content["best"] is None else Best(**content["best"])
    TrainingState(**{k: v for k, v in content.items() if k not in ("version", "best")}, best=best).write(path)
    before = contents(stopped / "out")
    with pytest.raises(
        ConfigError, match=r"state\.pt: damaged: .*; remove the folder of this output to train from scratch"
    ) as said:
        train(write_config(stopped))
    assert "\n" not in str(said.value)
    assert contents(stopped / "out") == before


# ------------------------------------------------------------------------------ of another training


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"sampling": {"tile": 4, "batch": 3}}, "sampling.batch (2 there, 3 here)"),
        ({"optimiser": {"ema": 0.8, "clip_norm": 1.0}}, "optimiser.ema (0.9 there, 0.8 here)"),
        ({"stages": {"iterations": 20, "hours": 1}}, "stages ("),
        (
            {"validation": {"every": 4, "hours": 6, "score": "head"}},
            "validation.score ('water_table' there, 'head' here)",
        ),
        ({"data": {"store": "store", "validation_hours": 13}}, "data.validation_hours (12 there, 13 here) and 1 more"),
        ({"surrogate": {"architecture": "structured", "hidden": [9]}}, "surrogate.hidden ([8] there, [9] here)"),
        ({"domain": domain_section() | {"porosity": 0.41}}, "domain or data ("),
    ],
    ids=lambda v: v if isinstance(v, str) else next(iter(v)),
)
@pytest.mark.parametrize("seed", [0, 1])
def test_another_configuration_is_refused_and_nothing_is_touched(
    stopped: Path, changes: dict[str, Any], named: str, seed: int
) -> None:
    """Another seed too: the best weights of a folder are of one configuration."""
    before = contents(stopped / "out")
    other = write_config(stopped, **changes, seeds=[seed])
    with pytest.raises(ConfigError) as caught:
        train(other)
    assert f"{STATE}: belongs to a training with another {named}" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert contents(stopped / "out") == before


def test_other_data_are_refused(stopped: Path) -> None:
    head = np.load(stopped / "store" / HEAD)
    np.save(stopped / "store" / HEAD, head + 0.01)
    (stopped / "store" / "statistics.yaml").unlink()
    before = contents(stopped / "out")
    with pytest.raises(ConfigError, match=r"state\.pt: belongs to a training with another domain or data"):
        train(write_config(stopped))
    assert contents(stopped / "out") == before


@pytest.mark.parametrize("name", ["best.safetensors", "best.yaml"])
def test_weights_without_a_state_are_not_overwritten(basin: Path, name: str) -> None:
    """Such as those that came with a repository; refused before hours of training, not after."""
    (basin / "out").mkdir()
    (basin / "out" / name).write_bytes(b"precious")
    with pytest.raises(ConfigError, match=rf"{name}: already exists, without a training state"):
        train(write_config(basin))
    assert contents(basin / "out") == {name: b"precious"}


@pytest.mark.parametrize(
    "changes",
    [{"save_every": 1}, {"threads": 1}, {"ensemble": True}, {"seeds": [0, 1]}],
    ids=lambda v: str(next(iter(v))),
)
def test_what_does_not_change_the_weights_may_change(stopped: Path, trained: Path, changes: dict[str, Any]) -> None:
    train(write_config(stopped, **changes))
    assert_same(state_of(trained / "out"), state_of(stopped / "out"))


def test_a_training_goes_on_from_another_working_folder(stopped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write_config(stopped)
    monkeypatch.chdir(stopped)
    assert train(Path(file.name)).finished


def test_identity_has_every_key_once(basin: Path) -> None:
    file = write_config(basin)
    config, material = material_of(file)
    assert material.identity["optimiser.schedule.rate"] == "0.002"
    assert material.identity["number of processes"] == "1"
    assert not any(re.match(r"(output|seeds|device|data\.store)", key) for key in config.identity())
    keys = {key.split(".")[0] for key in config.identity()}
    free = {"domain", "seeds", "ensemble", "output", "save_every", "device", "threads", "compile"}
    not_given = {"basins", "start_from"}
    assert keys | free | not_given == set(type(config).model_fields)
    assert yaml.safe_load(file.read_text())["optimiser"]["ema"] == float(config.identity()["optimiser.ema"])


# ------------------------------------------------------------------------------ folders


def test_a_folder_in_which_another_training_is_under_way_is_left_alone(stopped: Path) -> None:
    code = (
        "import sys, pathlib\n"
        "from bmi_common.owned_folder import taken\n"
        "with taken(pathlib.Path(sys.argv[1]), 'training'):\n"
        "    print(flush=True)\n"
        "    sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(stopped / "out")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        other.stdout.readline()
        before = contents(stopped / "out")
        with pytest.raises(ConfigError, match=r"output: .*a training is under way there, process"):
            train(write_config(stopped))
        assert contents(stopped / "out") == before
        other.communicate()


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("best.yaml", "already exists, without a training state"),
        ("seed_0/loss.png", "would be replaced by the training, but was not written by one"),
    ],
)
def test_files_of_the_users_are_not_replaced(basin: Path, name: str, told: str) -> None:
    (basin / "out" / "seed_0").mkdir(parents=True)
    (basin / "out" / name).write_text("mine")
    with pytest.raises(ConfigError, match=f"{name}:? {told}"):
        train(write_config(basin), after(4))
    assert (basin / "out" / name).read_text() == "mine"


def test_a_training_of_an_earlier_version_goes_on(stopped: Path) -> None:
    for folder in ("out", "store"):
        (stopped / folder / RECORD).unlink()
    train(write_config(stopped))
    assert state_of(stopped / "out")["iteration"] == 10
