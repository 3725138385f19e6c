from pathlib import Path

import pytest
from conformance.bmi_test import run_bmi_test


def test_a_component_that_breaks_the_interface_fails_with_the_checkers_report(tmp_path: Path) -> None:
    config = tmp_path / "bucket.yaml"
    config.write_text("nx: 2\n")
    with pytest.raises(AssertionError, match=r"(?s)test_get_var_units.*leagues_per_fortnite"):
        run_bmi_test("fakes:BucketWithWrongUnits", [config], tmp_path)


def test_a_configuration_that_cannot_be_read_fails_with_its_message(tmp_path: Path) -> None:
    config = tmp_path / "bucket.yaml"
    config.write_text("nxx: 2\n")
    with pytest.raises(AssertionError, match="did you mean 'nx'"):
        run_bmi_test("fakes:Bucket", [config], tmp_path)


def test_a_class_that_does_not_exist_fails(tmp_path: Path) -> None:
    config = tmp_path / "bucket.yaml"
    config.write_text("nx: 2\n")
    with pytest.raises(AssertionError, match="Nothing"):
        run_bmi_test("fakes:Nothing", [config], tmp_path)


def test_two_files_of_one_name_are_refused_because_the_folder_is_flat(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    for folder in (tmp_path, tmp_path / "a"):
        (folder / "bucket.yaml").write_text("nx: 2\n")
    with pytest.raises(ValueError, match=r"flat folder.*bucket\.yaml"):
        run_bmi_test("fakes:Bucket", [tmp_path / "bucket.yaml", tmp_path / "a" / "bucket.yaml"], tmp_path)
