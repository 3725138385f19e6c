"""ParFlow's run database."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmi_common import ConfigError
from bmi_common.pfidb import leading_number, read_pfidb


@pytest.mark.parametrize(
    ("text", "number", "whole"),
    [
        ("1.0d0", "1.0", "1"),
        ("1.D+3", "1.", "1"),
        (".5", ".5", None),
        ("+2", "+2", "+2"),
        ("1e3", "1e3", "1"),
        ("-1.5E-3m", "-1.5E-3", "-1"),
        (" 7 8", "7", "7"),
        ("1,5", "1", "1"),
        ("2e", "2", "2"),
        ("0x10", None, None),
        ("True", None, None),
        ("", None, None),
    ],
)
def test_the_leading_part_of_a_value_is_its_number(text: str, number: str | None, whole: str | None) -> None:
    assert leading_number(text) == number
    assert leading_number(text, whole=True) == whole


VALUES = st.text(st.characters(exclude_characters="\r", exclude_categories=("Cs",)), max_size=20)


@given(values=st.dictionaries(st.text("abc.XY_", min_size=1, max_size=8), VALUES, max_size=5))
def test_values_have_the_length_that_stands_above_them(
    values: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Several lines, blanks at either end, no text at all, digits that look like a length."""
    words = [str(len(values))] + [w for key, value in values.items() for x in (key, value) for w in (str(len(x)), x)]
    path = tmp_path_factory.mktemp("run") / "case.pfidb"
    path.write_text("\n".join(words) + "\n", encoding="utf-8", newline="")
    assert read_pfidb(path) == values


def test_line_ends_of_windows_do_not_count(tmp_path: Path) -> None:
    path = tmp_path / "case.pfidb"
    path.write_bytes(b"1\r\n3\r\nKey\r\n9\r\none \r\ntwo\r\n".replace(b"9", b"8"))
    assert read_pfidb(path) == {"Key": "one \ntwo"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("hello", ":1: not a readable pfidb file: expected the number of keys, got 'hello'"),
        ("3\n7\nGravity\n3\n1.0\n", "not a whole pfidb file: it announces 3 keys and has 1"),
        ("1\n7\nGravity\n3\n1.0\n4\nMore\n1\n1\n", ":6: not a whole pfidb file: it announces 1 keys and has more"),
        ("1\n7\nGravity\n9\n1.0\n", ":5: .*the value of Gravity does not have the 9 characters"),
        ("1\n3\nGravity\n3\n1.0\n", ":3: .*a key does not have the 3 characters"),
        ("2\n1\nA\n1\n1\n1\nA\n1\n2\n", ":7: A: this key is there twice"),
    ],
)
def test_damaged_databases_are_refused(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "case.pfidb"
    path.write_text(content)
    with pytest.raises(ConfigError, match=f"case.pfidb{'' if message[0] == ':' else ': '}{message}"):
        read_pfidb(path)
