"""Reading and writing trained networks."""

import dataclasses
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import save_file
from surrogate_cases import LAYERS, make_checkpoint

from bmi_common import ConfigError
from bmi_surrogate import Checkpoint, convert_published, load, save
from bmi_surrogate.normalisation import Moments
from bmi_surrogate.published import PUBLISHED_STATISTICS


def same_parameters(a: Checkpoint, b: Checkpoint) -> bool:
    left, right = a.network.state_dict(), b.network.state_dict()
    return left.keys() == right.keys() and all(torch.equal(left[k], right[k]) for k in left)


def write_published(folder: Path, parameters: dict[str, Any], layers: int = 11) -> Path:
    file = folder / "model.ckpt-1"
    torch.save({"net_param": parameters}, file)
    statistics = {
        "target_mean": [0.1] * layers,
        "target_std": [0.5] * layers,
        "force_mean": [0.0] + [1e-4] * (layers - 1),
        "force_std": [0.0] + [1e-2] * (layers - 1),
    }
    (folder / PUBLISHED_STATISTICS).write_text(yaml.safe_dump(statistics))
    return file


@pytest.fixture
def parameters() -> dict[str, Any]:
    return dict(make_checkpoint().network.state_dict())


@pytest.mark.parametrize("attention", ["none", "pool", "xyconv"])
def test_own_format_round_trip_is_exact(attention: str, tmp_path: Path) -> None:
    original = make_checkpoint(attention=attention, attention_side=8, attention_window=12)
    weights = save(original, tmp_path / "trained")
    for file in (weights, weights.with_suffix(".yaml")):
        again = load(file)
        assert same_parameters(again, original)
        assert again.network.architecture == original.network.architecture
        assert not again.network.training
        for name in ("pressure", "source", "statics"):
            left, right = getattr(again.statistics, name), getattr(original.statistics, name)
            np.testing.assert_array_equal(left.mean, right.mean)
            np.testing.assert_array_equal(left.std, right.std)
        assert (again.tile, again.layer_thickness) == (8, tuple(LAYERS))
        assert again.provenance == original.provenance
        assert set(again.files) == {weights, weights.with_suffix(".yaml")}


@pytest.mark.parametrize("attention", ["none", "pool", "xyconv"])
def test_published_architecture_is_read_off_the_parameters(attention: str, tmp_path: Path) -> None:
    original = make_checkpoint(attention=attention, attention_side=8)
    read = load(write_published(tmp_path, dict(original.network.state_dict())))
    assert same_parameters(read, original)
    a = read.network.architecture
    assert (a.attention, a.layers, a.source_layers, a.hidden) == (attention, 11, 10, (16, 16))
    assert (a.attention_form, a.attention_window) == ("published", None)
    assert read.statistics.statics is None
    assert len(read.statistics.source) == 10


def test_conversion_keeps_the_network_and_adds_the_statics(tmp_path: Path, parameters: dict[str, Any]) -> None:
    source = write_published(tmp_path, parameters)
    statics = np.random.default_rng(0).normal(2.0, 3.0, (46, 9, 10))
    own = load(convert_published(source, tmp_path / "own", statics, layer_thickness=tuple(LAYERS)))
    published = load(source)
    assert same_parameters(own, published)
    assert own.network.architecture == published.network.architecture
    assert own.statistics.statics is not None
    np.testing.assert_allclose(own.statistics.statics.mean, statics.mean(axis=(1, 2)), rtol=1e-12)
    np.testing.assert_array_equal(own.statistics.pressure.mean, published.statistics.pressure.mean)
    assert own.provenance["converted_from"] == "model.ckpt-1"


def test_network_of_other_layers_is_read_as_such(tmp_path: Path) -> None:
    other = make_checkpoint(layers=12, statics=None)
    file = write_published(tmp_path, dict(other.network.state_dict()), layers=12)
    assert load(file).network.architecture.layers == 12


def test_statistics_of_other_layers_are_refused(tmp_path: Path, parameters: dict[str, Any]) -> None:
    file = write_published(tmp_path, parameters, layers=10)
    with pytest.raises(ConfigError, match=r"stats_press_evap2.yaml: target_mean has 10 numbers.*11 layers"):
        load(file)


def test_published_statistics_must_be_somewhere(tmp_path: Path, parameters: dict[str, Any]) -> None:
    file = write_published(tmp_path, parameters)
    (tmp_path / PUBLISHED_STATISTICS).rename(tmp_path / "elsewhere.yaml")
    with pytest.raises(ConfigError, match="does not store its statistics"):
        load(file)
    assert same_parameters(
        load(file, statistics=tmp_path / "elsewhere.yaml"), load(file, "published", tmp_path / "elsewhere.yaml")
    )


@pytest.mark.parametrize("keep", [0, 7, 100, 100_000])
def test_truncated_checkpoints_are_refused(keep: int, tmp_path: Path, parameters: dict[str, Any]) -> None:
    file = write_published(tmp_path, parameters)
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(ConfigError, match=r"model.ckpt-1: not a whole PyTorch checkpoint"):
        load(file)
    weights = tmp_path / "weights.safetensors"
    save_file({k: v.contiguous() for k, v in parameters.items()}, weights)
    weights.write_bytes(weights.read_bytes()[:keep])
    with pytest.raises(ConfigError, match=r"weights.safetensors: not a whole"):
        load(weights, statistics=tmp_path / PUBLISHED_STATISTICS)


class Harmful:
    def __reduce__(self) -> Any:
        return (Path.touch, (Path("executed"),))


def test_code_in_a_pickle_is_not_executed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"net_param": {"conv_last.weight": Harmful()}}, tmp_path / "zip.ckpt")
    (tmp_path / "plain.ckpt").write_bytes(pickle.dumps(Harmful(), protocol=2))
    for name in ("zip.ckpt", "plain.ckpt"):
        with pytest.raises(ConfigError, match=f"{name}: not a PyTorch checkpoint, or one that holds more"):
            load(tmp_path / name)
    assert not (tmp_path / "executed").exists()


def change(parameters: dict[str, Any], what: str) -> dict[str, Any]:
    p = dict(parameters)
    if what == "lacking":
        del p["adapter.weight"], p["cell_list.1.conv_m.0.bias"]
    elif what == "without layers":
        del p["conv_last.weight"]
    elif what == "surplus":
        p["optimizer.step"] = torch.zeros(1)
    elif what == "shape":
        p["cell_list.1.conv_o.0.weight"] = torch.zeros(16, 31, 3, 3)
    elif what == "nan":
        p["memory_encoder.bias"] = torch.full((16,), float("nan"))
    elif what == "other network":
        return {"fc.weight": torch.zeros(3, 3)}
    elif what == "no tensors":
        return {"epoch": 3}
    return p


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("lacking", r"it lacks adapter.weight, cell_list.1.conv_m.0.bias"),
        ("without layers", r"it has no 'conv_last.weight'"),
        ("surplus", r"it has also optimizer.step"),
        ("shape", r"cell_list.1.conv_o.0.weight has the shape \(16, 31, 3, 3\).*\(16, 32, 3, 3\)"),
        ("nan", r"memory_encoder.bias holds values that are not finite"),
        ("other network", r"not a checkpoint of this network"),
        ("no tensors", r"no parameters found"),
    ],
)
def test_checkpoint_of_something_else_is_refused(
    what: str, message: str, tmp_path: Path, parameters: dict[str, Any]
) -> None:
    file = write_published(tmp_path, change(parameters, what))
    with pytest.raises(ConfigError, match=message) as caught:
        load(file)
    assert str(caught.value).startswith(str(file))
    assert "\n" not in str(caught.value)


def test_weights_that_the_description_does_not_know_are_refused(tmp_path: Path) -> None:
    first, second = (save(make_checkpoint(seed=s), tmp_path / f"net{s}") for s in (1, 2))
    first.write_bytes(second.read_bytes())
    with pytest.raises(ConfigError, match=r"net1.safetensors: SHA-256 is"):
        load(first)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("version", 2, r"own.yaml:2: version"),
        ("tile", 0, r"own.yaml:\d+: tile"),
        ("architecture", {"hiden": 3}, r"architecture"),
        ("statistics", {"pressure": {"mean": [0.0], "std": [1.0]}}, r"statistics.source: this key is missing"),
        ("layer_thickness", [1.0, 2.0], r"layer_thickness has 2 layers, the network 11"),
        ("weights", {"file": "nowhere.safetensors", "sha256": "0" * 64}, r"no such file: .*nowhere"),
    ],
)
def test_damaged_description_is_refused(key: str, value: object, message: str, tmp_path: Path) -> None:
    file = save(make_checkpoint(), tmp_path / "own").with_suffix(".yaml")
    content = yaml.safe_load(file.read_text())
    content[key] = value
    file.write_text(yaml.safe_dump(content, sort_keys=False))
    with pytest.raises(ConfigError, match=message):
        load(file)


def test_statistics_of_the_wrong_length_are_refused(tmp_path: Path) -> None:
    file = save(make_checkpoint(), tmp_path / "own").with_suffix(".yaml")
    content = yaml.safe_load(file.read_text())
    content["statistics"]["source"] = {"mean": [0.0] * 11, "std": [1.0] * 11}
    file.write_text(yaml.safe_dump(content, sort_keys=False))
    with pytest.raises(ConfigError, match=r"statistics.source has 11 channels, the network 10"):
        load(file)


def test_own_format_needs_the_statistics_of_statics(tmp_path: Path) -> None:
    complete = make_checkpoint()
    partial = dataclasses.replace(complete, statistics=dataclasses.replace(complete.statistics, statics=None))
    with pytest.raises(ValueError, match="statistics of its statics"):
        save(partial, tmp_path / "own")


def test_own_format_takes_no_other_statistics(tmp_path: Path) -> None:
    file = save(make_checkpoint(), tmp_path / "own")
    other = tmp_path / "other.yaml"
    other.write_text("{}")
    with pytest.raises(ConfigError, match="stores its statistics"):
        load(file, statistics=other)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nothing.ckpt: no such file"):
        load(tmp_path / "nothing.ckpt")


def test_whoever_may_read_the_description_may_read_the_weights(tmp_path: Path) -> None:
    weights = save(make_checkpoint(Moments.of(np.zeros(46), np.ones(46))), tmp_path / "shared")
    assert weights.stat().st_mode == weights.with_suffix(".yaml").stat().st_mode
