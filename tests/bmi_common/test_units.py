import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmi_common import ConfigError
from bmi_common.units import conversion, parse


@pytest.mark.parametrize(
    ("source", "target"),
    [("m", "s"), ("K", "m"), ("W m-2", "kg m-2 s-1"), ("m s-1", "m"), ("m2", "m"), ("kg", "m"), ("1", "m")],
)
def test_units_of_different_dimension_are_refused(source: str, target: str) -> None:
    # would fail with a udunits binding that accepts every conversion, as gimli.units 0.4 does
    with pytest.raises(ConfigError, match="do not convert to"):
        conversion(source, target)


@pytest.mark.parametrize(
    ("source", "target", "factor"),
    [
        ("mm", "m", 1.0e-3),
        ("m s-1", "m h-1", 3600.0),
        ("hPa", "Pa", 100.0),
        ("percent", "1", 0.01),
        ("d-1", "h-1", 1.0 / 24.0),
        ("degrees_north", "degrees", 1.0),
        ("kg kg-1", "1", 1.0),
    ],
)
def test_units_of_one_dimension_are_scaled(source: str, target: str, factor: float) -> None:
    change = conversion(source, target)
    assert change.factor == pytest.approx(factor, rel=1e-14)
    assert change.offset == 0.0
    assert change.note == ""


def test_temperature_has_an_offset() -> None:
    to_kelvin, to_celsius = conversion("degC", "K"), conversion("K", "degC")
    assert (to_kelvin.factor, to_kelvin.offset) == pytest.approx((1.0, 273.15))
    assert (to_celsius.factor, to_celsius.offset) == pytest.approx((1.0, -273.15))
    fahrenheit = conversion("degF", "K")
    assert 212.0 * fahrenheit.factor + fahrenheit.offset == pytest.approx(373.15)


@pytest.mark.parametrize(
    ("mass", "volume", "factor"),
    [
        ("kg m-2 s-1", "m s-1", 1.0e-3),
        ("kg m-2 s-1", "mm h-1", 3600.0),
        ("kg m-2", "mm", 1.0),
        ("kg m-3 s-1", "h-1", 3.6),
        ("g", "cm3", 1.0),
    ],
)
def test_mass_of_water_becomes_volume_and_back_with_its_density(mass: str, volume: str, factor: float) -> None:
    there, back = conversion(mass, volume), conversion(volume, mass)
    assert there.factor == pytest.approx(factor, rel=1e-12)
    assert back.factor == pytest.approx(1.0 / factor, rel=1e-12)
    assert "1000" in there.note
    assert "1000" in back.note
    assert "water" in str(there)


def test_units_before_a_common_fraction_are_converted() -> None:
    assert conversion("h m-1/3", "s m-1/3").factor == pytest.approx(3600.0)
    assert conversion("s m-1/3", "s m-1/3").is_identity


@pytest.mark.parametrize(
    ("source", "target"), [("s m-1", "s m-1/3"), ("s m-1/3", "s m-1"), ("s m-1/4", "s m-1/3"), ("s", "s m-1/3")]
)
def test_fractional_powers_are_not_read_as_fractions_of_a_power(source: str, target: str) -> None:
    with pytest.raises(ConfigError, match="do not convert"):
        conversion(source, target)


@pytest.mark.parametrize("typo", ["metre/secnd", "mm/hour rain", "m s-1 (mean", "-"])
def test_unknown_unit_is_named(typo: str) -> None:
    for pair in ((typo, "m"), ("m", typo), (typo, typo)):
        with pytest.raises(ConfigError) as error:
            conversion(*pair)
        assert f"{typo!r} is no unit that udunits knows" in str(error.value)
    with pytest.raises(ConfigError):
        parse(typo)


def test_logarithmic_units_are_refused() -> None:
    with pytest.raises(ConfigError, match="by a factor"):
        conversion("lg(re 1 mW)", "W")


def test_blanks_around_a_unit_do_not_matter() -> None:
    assert conversion(" mm ", "m\n").factor == pytest.approx(1.0e-3)
    assert conversion(" m ", "m").is_identity


def test_same_unit_spelled_differently_changes_nothing() -> None:
    change = conversion("m/h", "m h-1")
    assert change.is_identity
    assert str(change) == "m/h = m h-1"


@given(
    st.sampled_from(["m s-1", "mm h-1", "cm d-1", "kg m-2 s-1", "g cm-2 min-1"]),
    st.sampled_from(["m s-1", "mm h-1", "cm d-1", "kg m-2 s-1", "g cm-2 min-1"]),
    st.sampled_from(["m s-1", "mm h-1", "cm d-1", "kg m-2 s-1", "g cm-2 min-1"]),
)
def test_water_fluxes_convert_along_any_path(a: str, b: str, c: str) -> None:
    direct = conversion(a, c).factor
    assert conversion(a, b).factor * conversion(b, c).factor == pytest.approx(direct, rel=1e-12)
