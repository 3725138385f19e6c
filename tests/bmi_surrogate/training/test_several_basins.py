"""One set of weights from several basins of different layers, and trainings that begin with weights of another."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from training_cases import (
    OPTIONS,
    after,
    assert_same,
    contents,
    domain_section,
    mask_in,
    material_of,
    state_of,
    train,
    write_config,
    write_physics,
)

from bmi_common import ConfigError, Domain, DomainConfig
from bmi_surrogate import StructuredCheckpoint, load
from bmi_surrogate.structured.shared_correction import fitted_scale
from bmi_surrogate.training import train as training
from bmi_surrogate.training.trainer import Trainer
from bmi_surrogate.training.validation import Scores, of_all

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("no_figures")]

FEWER = [8.0, 2.0, 1.0, 0.4, 0.1]
SHARED = {"architecture": "structured", "layers": "any", "hidden": [4, 4]}


def several(folder: Path, output: str = "out", **changes: Any) -> Path:
    """A training on the basin and on the same ground with fewer layers, whose root zone has one layer less."""
    other = domain_section() | {"layers": FEWER, "root_zone": {"layers": 4}}
    if not (folder / "fewer").exists():
        write_physics(folder / "fewer", Domain.load(DomainConfig.model_validate(other | {"mask": mask_in(folder)})))
    basins = [
        {"domain": domain, "data": {"store": store, "validation_hours": 12}}
        for domain, store in ((domain_section(), "store"), (other, "fewer"))
    ]
    file = write_config(folder, output=output, **{"surrogate": SHARED, "basins": basins, **changes})
    content = yaml.safe_load(file.read_text())
    del content["domain"], content["data"]
    file.write_text(yaml.safe_dump(content, sort_keys=False))
    return file


def test_one_set_of_weights_comes_from_two_layerings_interrupted_or_not(basin: Path) -> None:
    found = train(several(basin))
    assert found.weights is not None
    trained = load(found.weights)
    assert isinstance(trained, StructuredCheckpoint)
    assert trained.layer_thickness is None
    assert trained.provenance["trained_on"].startswith("11 layers of ")
    assert trained.provenance["trained_on"].endswith("; 5 layers of 8 to 0.1 m")
    stopped = several(basin, "stopped")
    train(stopped, after(4))
    train(stopped)
    assert_same(state_of(basin / "stopped"), state_of(basin / "out"))


def test_basins_give_batches_in_turn_and_weigh_the_same_in_the_score(basin: Path) -> None:
    _, material = material_of(several(basin))
    trainer = Trainer(material, 0, basin / "seed")
    assert [trainer.batch(n, 2).origins[0].basin for n in range(4)] == [0, 1, 0, 1]
    assert [trainer.batch(n, 2).head.shape[2] for n in range(2)] == [11, 5]
    assert str(trainer.batch(1, 2).origins[0]).startswith("basins.1, hour ")
    first, second = Scores(0.1, 1.0, 0.01, 0.2), Scores(0.001, 4.0, 0.01, 0.8)
    both = of_all([first, second])
    np.testing.assert_allclose([both.water_table, both.head, both.median, both.high], [0.01, 2.0, 0.01, 0.4])
    assert of_all([first]) is first


def test_the_typical_change_is_fitted_to_the_layers_of_all_basins(basin: Path) -> None:
    _, material = material_of(several(basin))
    trainer = Trainer(material, 0, basin / "seed")
    batches = [trainer.batch(n, 1) for n in range(6)]
    module = material.module()
    material.task.calibrate(module, batches)
    depths, typical = [], []
    for number in (0, 1):
        squares = []
        for batch in batches[number::2]:
            active, c = batch.active[:, 0].numpy(), 0.5 / batch.fields["alpha"].double().numpy()
            before, after = (
                np.where(h > -c, h, -c * (1.0 + np.log(np.maximum(-h / c, 1.0))))
                for h in batch.head.numpy()[:, :2].swapaxes(0, 1)
            )
            squares.append((np.moveaxis(after - before, 1, 0)[:, active] ** 2).mean(axis=1))
        dz = material.basins[number].domain.dz
        depths.append(np.cumsum(dz[::-1])[::-1] - 0.5 * dz)
        typical.append(np.maximum(np.sqrt(np.mean(squares, axis=0)), 1e-7))
    expected = fitted_scale(np.concatenate(depths), np.concatenate(typical))
    np.testing.assert_allclose(module.get_buffer("scale").numpy(), expected, rtol=1e-8)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"surrogate": OPTIONS["structured"]},
            r"basins.1.domain: has other layers than basins.0: 11 layers there, 5 here",
        ),
        ({"surrogate": OPTIONS["predrnn"]}, "basins: one is all that `architecture: predrnn` can be trained on"),
    ],
)
def test_layerings_that_a_network_does_not_take_are_refused(basin: Path, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        material_of(several(basin, **changes))
    assert not (basin / "out").exists()


def test_a_file_names_one_basin_or_several(basin: Path) -> None:
    file = several(basin)
    content = yaml.safe_load(file.read_text())
    for changed, words in (
        (content | {"domain": domain_section()}, "domain: stands beside `basins`"),
        ({k: v for k, v in content.items() if k != "basins"}, "domain: this key is missing"),
        (content | {"basins": content["basins"][:1] * 2}, "basins.1.data.store: is that of basins.0.data"),
    ):
        file.write_text(yaml.safe_dump(changed))
        with pytest.raises(ConfigError, match=words):
            material_of(file)


# ---------------------------------------------------------------------------------------- start_from


@pytest.mark.parametrize("architecture", ["structured", "predrnn"])
def test_a_training_begins_with_the_weights_of_an_earlier_one(basin: Path, architecture: str) -> None:
    first = train(write_config(basin, architecture, validation={"every": 1, "hours": 6}))
    assert first.weights is not None
    _, material = material_of(write_config(basin, architecture, "second", start_from=str(first.weights)))
    begun = Trainer(material, 0, basin / "seed").module.state_dict()
    known = load(first.weights)
    network = known.model if isinstance(known, StructuredCheckpoint) else known.network
    for name, value in network.state_dict().items():
        here = name if isinstance(known, StructuredCheckpoint) else f"network.{name}"
        assert torch.equal(begun[here], value), name


def test_weights_that_do_not_become_better_are_kept(basin: Path) -> None:
    first = train(write_config(basin))
    assert first.weights is not None
    before = load(first.weights)
    # a rate so high that nothing good comes of it
    harmful = {"clip_norm": 1.0, "schedule": {"rate": 10.0}}
    second = train(write_config(basin, output="second", start_from="out/best.yaml", optimiser=harmful))
    assert second.weights is not None
    assert second.outcomes[0].best is not None
    assert second.outcomes[0].best.iteration == 0
    assert_same(load(second.weights).model.state_dict(), before.model.state_dict())  # type: ignore[union-attr]


def test_weights_of_another_architecture_are_refused_and_the_last_ones_kept(basin: Path) -> None:
    train(write_config(basin))
    train(write_config(basin, "predrnn", "other"))
    kept = contents(basin / "out")
    for changes, words in (
        ({"surrogate": SHARED}, r"start_from: .*best.yaml .* another architecture: layers is 11 there, any in this"),
        ({"surrogate": OPTIONS["structured"] | {"hidden": [9]}}, r"hidden is \(8,\) there, \(9,\) in this training"),
        ({"start_from": "other/best.yaml"}, "start_from: .*best.yaml is predrnn, not structured"),
        ({"start_from": "nothing.yaml"}, "start_from: no such file"),
        ({"start_from": "out"}, r"out: is a folder; name the checkpoint in it, such as .*best\.yaml"),
        ({"start_from": "out/seed_0/state.pt"}, r"state\.pt: is no checkpoint of rootzone, which is a NAME\.yaml"),
        ({"output": "out"}, "start_from: lies in `output`"),
    ):
        with pytest.raises(ConfigError, match=words):
            material_of(write_config(basin, **({"output": "new", "start_from": "out/best.yaml"} | changes)))
    assert contents(basin / "out") == kept
    assert not (basin / "new").exists()


@pytest.mark.parametrize("architecture", OPTIONS)
def test_weights_that_do_not_suit_are_refused_before_a_store_is_made(
    basin: Path, architecture: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = "structured" if architecture == "predrnn" else "predrnn"
    train(write_config(basin, other, "other"))

    def made(*_: Any) -> None:
        pytest.fail("a store is made")

    monkeypatch.setattr(training, "prepare", made)
    with pytest.raises(ConfigError, match=f"start_from: .*best.yaml is {other}, not {architecture}"):
        material_of(write_config(basin, architecture, "new", start_from="other/best.yaml"))


def test_a_training_does_not_go_on_from_a_state_that_began_with_other_weights(basin: Path) -> None:
    train(write_config(basin))
    train(write_config(basin, output="second", start_from="out/best.yaml"), after(3))
    with pytest.raises(ConfigError, match="belongs to a training with another start_from"):
        material_of(write_config(basin, output="second"))
