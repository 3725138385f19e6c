from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import Field

from bmi_common import Config, ConfigError, ConfigPath, OutputPath, load_config
from bmi_common.config import CalendarTime, read_yaml


class Solver(Config):
    tolerance: float = 1.0e-6
    steps: Annotated[int, Field(ge=1)] = 1


class Model(Config):
    title: str = ""
    solver: Solver = Solver()
    weights: tuple[float, ...] = ()
    data: ConfigPath | None = None
    result: OutputPath | None = None


def message(path: Path, ignore: tuple[str, ...] = (), model: type[Config] = Model) -> str:
    with pytest.raises(ConfigError) as error:
        load_config(path, model, ignore)
    return str(error.value)


def test_values_are_read_into_the_model(write) -> None:
    config = load_config(write("title: basin\nsolver: {tolerance: 1.0e-8, steps: 3}\nweights: [1, 2.5]\n"), Model)
    assert config == Model(title="basin", solver=Solver(tolerance=1.0e-8, steps=3), weights=(1.0, 2.5))


@pytest.mark.parametrize(("text", "value"), [("1e-6", 1e-6), ("1E5", 1e5), ("-2e3", -2e3), (".5e1", 5.0), ("3", 3.0)])
def test_numbers_with_an_exponent_are_numbers_without_a_point_too(write, text: str, value: float) -> None:
    data = read_yaml(write(f"a: {text}\nb: '{text}'")).data
    assert data["a"] == value
    assert isinstance(data["a"], float | int)
    assert data["b"] == text


def test_wrong_value_is_reported_with_file_line_key_and_value(write) -> None:
    path = write("title: basin\nsolver:\n  tolerance: 1e-6\n  steps: none\n")
    assert message(path).startswith(f"{path}:4: solver.steps: ")
    assert "got 'none'" in message(path)


def test_value_out_of_range_is_reported_with_its_limit(write) -> None:
    path = write("solver:\n  steps: 0\n")
    assert f"{path}:2: solver.steps: input should be greater than or equal to 1, got 0" == message(path)


def test_wrong_list_entry_is_reported_with_its_own_line(write) -> None:
    path = write("weights:\n  - 1.0\n  - heavy\n")
    assert message(path).startswith(f"{path}:3: weights.1: ")


class Counts(Config):
    counts: Annotated[list[int], Field(min_length=1)] = [1]
    number: int = 0
    rate: float = 0.0
    choice: bool | int = False


def test_truth_in_the_place_of_a_number_is_refused_where_it_stands(write) -> None:
    path = write("number: true\nrate: yes\ncounts:\n  - 1\n  - false\n")
    assert message(path, model=Counts).splitlines() == [
        f"{path}:1: number: input should be a number, got True",
        f"{path}:2: rate: input should be a number, got True",
        f"{path}:5: counts.1: input should be a number, got False",
    ]
    assert load_config(write("choice: true\nnumber: 1\n"), Counts).choice is True


def test_a_list_without_entries_and_one_in_the_place_of_a_number_are_told_in_the_words_of_a_user(write) -> None:
    path = write("counts: []\nnumber: [1, 2]\n")
    assert message(path, model=Counts).splitlines() == [
        f"{path}:1: counts: needs 1 or more entries, has none",
        f"{path}:2: number: input should be a valid integer, got a list",
    ]


def test_several_mistakes_are_reported_together(write) -> None:
    path = write("solver:\n  steps: 0\n  tolerance: small\n")
    assert {line.split(": ")[0] for line in message(path).splitlines()} == {f"{path}:2", f"{path}:3"}


def test_unknown_key_is_reported_with_the_nearest_known_one(write) -> None:
    path = write("solver:\n  steps: 2\n  tolerence: 1e-6\n")
    assert message(path) == f"{path}:3: solver.tolerence: unknown key; did you mean 'tolerance'?"


def test_unknown_key_near_none_is_reported_with_all_known_ones(write) -> None:
    path = write("zzz: 1\n")
    assert message(path) == f"{path}:1: zzz: unknown key; known keys: title, solver, weights, data, result"


def test_missing_key_is_named(write) -> None:
    class Strict(Config):
        inner: Solver
        name: str

    path = write("inner: {steps: 1}\n")
    with pytest.raises(ConfigError, match="name: this key is missing"):
        load_config(path, Strict)


def test_key_that_stands_twice_is_reported_with_both_lines(write) -> None:
    path = write("title: a\nsolver:\n  steps: 1\n  tolerance: 1.0\n  steps: 2\n")
    assert message(path) == f"{path}:3: solver.steps: the key stands twice (again in line 5)"


def test_merged_keys_can_be_overridden(write) -> None:
    path = write("base: &base {steps: 1, tolerance: 1.0}\nsolver: {<<: *base, steps: 2}\nagain: &again {<<: *base}\n")
    assert read_yaml(path).data["solver"] == {"steps": 2, "tolerance": 1.0}
    assert load_config(path, Model, ignore=("base", "again")).solver.steps == 2


@pytest.mark.parametrize("text", ["weights: &w [1, *w]\n", "solver: &s {steps: *s}\n"])
def test_anchor_that_refers_to_itself_is_refused(write, text: str) -> None:
    assert "the anchor refers to itself" in message(write(text))


def test_anchors_that_multiply_are_refused(write) -> None:
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"a{i}: &a{i} [{', '.join(f'*a{i - 1}' for _ in range(10))}]" for i in range(1, 9)]
    assert "more than 100 000 entries" in message(write("\n".join(lines)))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the file is empty"),
        ("# nothing\n", "the file is empty"),
        ("- 1\n- 2\n", "expected keys and values at the top, got list"),
        ("just a sentence\n", "expected keys and values at the top, got str"),
        ("title: [1, 2\nsolver: 3\n", "not valid YAML"),
        ("title: a\n\tsolver: 3\n", ":2: not valid YAML"),
        ("title: *nobody\n", ":1: not valid YAML: found undefined alias 'nobody'"),
        ("title: a\nstart: 2020-02-30\n", ":2: start: not valid YAML: day is out of range for month"),
        ("title: !!python/object:os.system x\n", "not valid YAML"),
        ("title: \x01\n", "not valid YAML"),
        ("[" * 5000, "nested too deeply"),
        ("? [1, 2]\n: 3\n", "a key must be a plain word"),
        ("title: a\n---\ntitle: b\n", "not valid YAML"),
    ],
)
def test_text_that_is_no_configuration_is_refused(write, text: str, said: str) -> None:
    path = write(text)
    assert message(path).startswith(str(path))
    assert said in message(path)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes(b"\x93NUMPY\xff\xfe")
    assert "cannot be read" in message(path)


def test_missing_configuration_is_reported_with_a_similar_file(write, tmp_path: Path) -> None:
    write("title: a", "richards.yaml")
    assert (
        message(tmp_path / "richard.yaml")
        == f"{tmp_path / 'richard.yaml'}: no such file; did you mean 'richards.yaml'?"
    )
    assert "no folder" in message(tmp_path / "nowhere" / "richards.yaml")


def test_folder_in_place_of_a_configuration_is_refused(tmp_path: Path) -> None:
    assert "cannot be read" in message(tmp_path)


def test_ignored_sections_are_passed_over_and_others_are_not(write) -> None:
    path = write("title: a\nsurrogate: {anything: [1, 2]}\n")
    assert load_config(path, Model, ignore=("surrogate", "parflow")).title == "a"
    assert "surrogate: unknown key" in message(path)
    assert "surrogate: unknown key" in message(path, ignore=("parflow",))


# ---------------------------------------------------------------------- paths


def test_paths_start_from_the_file_that_names_them(write, tmp_path: Path, monkeypatch) -> None:
    write("", "run/basin.nc")
    path = write("data: basin.nc\nresult: out/hourly.nc\n", "run/config.yaml")
    monkeypatch.chdir("/")
    config = load_config(path, Model)
    assert config.data == tmp_path / "run" / "basin.nc"
    assert config.result == tmp_path / "run" / "out" / "hourly.nc"


def test_relative_to_moves_where_paths_start(write, tmp_path: Path) -> None:
    write("", "data/basin.nc")
    path = write("relative_to: ../data\ndata: basin.nc\nresult: out.nc\n", "run/config.yaml")
    config = load_config(path, Model)
    assert config.data is not None
    assert config.data.resolve() == tmp_path / "data" / "basin.nc"
    assert config.result is not None
    assert config.result.resolve() == tmp_path / "data" / "out.nc"


def test_missing_file_is_reported_with_line_and_a_similar_name(write, tmp_path: Path) -> None:
    write("", "basin.nc")
    path = write("title: a\ndata: basim.nc\n")
    assert message(path) == f"{path}:2: data: no such file: {tmp_path / 'basim.nc'}; did you mean 'basin.nc'?"


def test_named_folders_are_replaced_in_every_text(write, tmp_path: Path) -> None:
    write("", "data/basin.nc")
    path = write("paths: {store: ../data}\ndata: ${store}/basin.nc\ntitle: from ${store}\n", "run/config.yaml")
    config = load_config(path, Model)
    assert config.data == tmp_path / "data" / "basin.nc"
    assert config.title == f"from {tmp_path / 'data'}"


def test_unnamed_folder_is_reported_with_those_that_are_named(write) -> None:
    path = write("paths: {store: .}\nsolver:\n  steps: 1\nweights: ['${stoer}/x']\n")
    assert message(path) == f"{path}:4: weights.0: ${{stoer}} is not named under `paths:` (named: store)"
    assert "(named: none)" in message(write("title: ${data}\n"))


def test_paths_must_be_names_and_folders(write) -> None:
    path = write("title: a\npaths: [data]\n")
    assert message(path).startswith(f"{path}:2: paths: expected names and folders")


class Typed(Config):
    """One field of each kind whose errors pydantic words in a way of its own."""

    path: ConfigPath
    mapping: dict[str, int]
    model: Model
    number: Annotated[int, Field(ge=1)]
    word: Literal["a", "b"]
    date: CalendarTime
    truth: bool
    several: int | list[int]


def test_every_kind_of_mistake_is_told_beside_an_unknown_key(write) -> None:
    text = "path: [1]\nmapping: 3\nmodel: 3\nnumber: 0\nword: c\ndate: 3\ntruth: maybe\nseveral: x\n"
    alone = message(write(text), model=Typed).splitlines()
    beside = message(write(f"{text}unknown: 1\n"), model=Typed).splitlines()
    assert len({line.split(": ")[1] for line in alone}) == 8
    assert beside[:-1] == alone
    assert "unknown: unknown key" in beside[-1]


# ---------------------------------------------------------------- errors


def test_an_error_is_printed_from_its_parts_and_can_be_placed() -> None:
    mistake = ConfigError("must be above 0", key="depth", of_period=True)
    placed = mistake.under("soil", Path("land.yaml"))
    assert (str(placed), placed.key, placed.of_period) == ("land.yaml: soil.depth: must be above 0", "soil.depth", True)
    told = placed.changed(component="land", line=3)
    assert str(told) == "land: land.yaml:3: soil.depth: must be above 0"
    assert str(ConfigError(**told.data())) == str(told)
    assert str(told.under("components.land")) == f"components.land: {told}"  # has a file of its own


def test_a_key_is_placed_by_the_deepest_part_that_the_file_has(write) -> None:
    document = read_yaml(write("ranges:\n  a.b: [0, 1]\n"))
    for key, line in (("ranges.a.b", 2), ("ranges.c.d", 1), ("range", None)):
        found = document.located(ConfigError("wrong", key=key))
        assert (found.key, found.line, found.file) == (key, line, document.path)
