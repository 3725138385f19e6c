"""Reading and writing trained networks."""

import dataclasses
import pickle
import re
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import save_file
from surrogate_cases import LAYERS, make_checkpoint

from bmi_common import ConfigError
from bmi_surrogate import PredRNNCheckpoint, convert_published, load, save
from bmi_surrogate.predrnn.normalisation import Moments
from bmi_surrogate.predrnn.published import PUBLISHED_STATISTICS


def same_parameters(a: PredRNNCheckpoint, b: PredRNNCheckpoint) -> bool:
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


@pytest.mark.parametrize("name", ["v1.2", "v1.2.yaml", "v1.2.safetensors"])
def test_a_dot_in_the_name_stays(tmp_path: Path, name: str) -> None:
    assert save(make_checkpoint(), tmp_path / name) == tmp_path / "v1.2.safetensors"
    assert (tmp_path / "v1.2.yaml").is_file()


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
        with pytest.raises(ConfigError, match=f"{name}: holds more than plain tensors.* pathlib.*can run code"):
            load(tmp_path / name)
    assert not (tmp_path / "executed").exists()


def prefixed(parameters: dict[str, Any], prefix: str) -> dict[str, Any]:
    return {f"{prefix}{name}": value for name, value in parameters.items()}


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "model.", "net.", "module._orig_mod.", "network.module."])
def test_names_that_a_wrapper_has_lengthened_are_read(tmp_path: Path, parameters: dict[str, Any], prefix: str) -> None:
    expected = load(write_published(tmp_path, parameters))
    assert same_parameters(load(write_published(tmp_path, prefixed(parameters, prefix))), expected)
    file = tmp_path / "wrapped.safetensors"
    save_file({k: v.contiguous() for k, v in prefixed(parameters, prefix).items()}, file)
    assert same_parameters(load(file), expected)


@pytest.mark.parametrize("former", [False, True])
@pytest.mark.parametrize("path", [(), ("state_dict",), ("model_state_dict",), ("model",), ("model", "state_dict")])
def test_parameters_are_found_beside_the_rest_of_a_training(
    tmp_path: Path, parameters: dict[str, Any], path: tuple[str, ...], former: bool
) -> None:
    expected = load(write_published(tmp_path, parameters))
    moments = {0: {"step": torch.ones(()), "exp_avg": torch.zeros(2)}}
    content: dict[str, Any] = parameters
    for key in reversed(path):
        content = {
            key: content,
            "epoch": 7,
            "loss": 0.25,
            "optimizer": {"state": moments, "param_groups": [{"lr": 0.1}]},
        }
    file = tmp_path / "other.pt"
    torch.save(content, file, _use_new_zipfile_serialization=not former)
    assert same_parameters(load(file), expected)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_become_single(tmp_path: Path, parameters: dict[str, Any], dtype: torch.dtype) -> None:
    read = load(write_published(tmp_path, {k: v.to(dtype) for k, v in parameters.items()})).network.state_dict()
    assert {v.dtype for v in read.values()} == {torch.float32}
    for name, value in parameters.items():
        torch.testing.assert_close(read[name], value.to(dtype).to(torch.float32), rtol=0, atol=0)


def test_a_file_is_known_by_what_is_in_it_and_not_by_its_name(tmp_path: Path, parameters: dict[str, Any]) -> None:
    expected = load(write_published(tmp_path, parameters))
    torch.save({"net_param": parameters}, tmp_path / "pickle.safetensors")
    save_file({k: v.contiguous() for k, v in parameters.items()}, tmp_path / "safe.ckpt")
    for name in ("pickle.safetensors", "safe.ckpt"):
        assert same_parameters(load(tmp_path / name), expected)


def refusal(file: Path) -> str:
    """Expect a refusal in one line that says each thing once, and never advises what can run code."""
    with pytest.raises(ConfigError) as caught:
        load(file)
    said = str(caught.value)
    assert said.startswith(f"{file}: ")
    assert said.count(str(file)) == 1
    assert "\n" not in said
    assert "weights_only" not in said
    assert "safe_globals" not in said
    return said


@pytest.mark.parametrize("former", [False, True])
def test_objects_beside_the_weights_are_named_with_how_to_save_anew(
    tmp_path: Path, parameters: dict[str, Any], former: bool
) -> None:
    file = tmp_path / "model.pt"
    torch.save({"net_param": parameters, "loss": np.float64(0.5)}, file, _use_new_zipfile_serialization=not former)
    said = refusal(file)
    assert "holds more than plain tensors, numbers and text: at 'loss' numpy." in said
    assert "multiarray.scalar (float(value) makes a plain number of a NumPy scalar)" in said
    assert "torch.save({'net_param': network.state_dict()}, 'model.pt')" in said


def archive(file: Path) -> None:
    with zipfile.ZipFile(file, "w") as members:
        members.writestr("notes.txt", "hello")


def program(file: Path) -> None:
    torch.jit.save(torch.jit.trace(torch.nn.Linear(2, 2), torch.zeros(1, 2)), file)


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (
            lambda file: torch.save(torch.nn.Linear(2, 2), file),
            "holds more than plain tensors.*torch.nn.modules.linear",
        ),
        (archive, "a zip archive that is not a PyTorch checkpoint: it holds notes.txt; save"),
        (program, "a TorchScript program, not the parameters of a network; save"),
        (lambda file: file.write_text("weights"), "not a whole PyTorch checkpoint of plain tensors$|not a PyTorch"),
        (lambda file: torch.save(torch.zeros(3), file), "no parameters found: it holds one Tensor; save"),
        (lambda file: torch.save({"model": {}}, file), "no parameters found under 'model': it is empty"),
        (
            lambda file: torch.save({"model": {"a": torch.zeros(1)}, "net": {"a": torch.zeros(1)}}, file),
            "holds several sets of parameters: model, net; save",
        ),
    ],
)
def test_files_of_something_else_are_called_what_they_are(tmp_path: Path, write: Any, message: str) -> None:
    file = tmp_path / "model.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's, about its own programs
        write(file)
    assert re.search(message, refusal(file))


def test_a_network_inside_a_larger_one_is_named(tmp_path: Path, parameters: dict[str, Any]) -> None:
    inside = {**prefixed(parameters, "forecaster."), "critic.weight": torch.zeros(2, 2)}
    said = refusal(write_published(tmp_path, inside))
    assert (
        "it has no 'conv_last.weight', but 'forecaster.conv_last.weight': its network lies under 'forecaster.'" in said
    )
    mixed = {**prefixed(parameters, "module."), "loss.weight": torch.zeros(1)}
    assert "its network lies under 'module.' in a larger one; save the parameters again" in refusal(
        write_published(tmp_path, mixed)
    )


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
    elif what == "too large":
        p["memory_encoder.bias"] = torch.full((16,), 1e300, dtype=torch.float64)
    elif what == "integers":
        p["memory_encoder.bias"] = torch.ones(16, dtype=torch.int64)
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
        ("too large", r"memory_encoder.bias holds values that are not finite"),
        ("integers", r"memory_encoder.bias holds int64, not floating point"),
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
    assert str(caught.value).count(str(file)) == 1
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
