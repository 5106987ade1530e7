import math

import pytest

from airflow_mltest.core.quantities import GIB, amount, cpus_in_words, cpus_of, gib_in_words, gib_of


@pytest.mark.parametrize(
    "text, value",
    [
        ("2", 2),
        ("500m", 0.5),
        ("1.5", 1.5),
        (".5", 0.5),
        ("16Gi", 16 * GIB),
        ("128M", 128e6),
        ("1e3", 1000),
        ("1E", 1e18),
    ],
)
def test_quantity_is_what_kubernetes_takes_it_for(text, value):
    assert amount(text) == pytest.approx(value)


@pytest.mark.parametrize("text", ["16GB", "4gb"])
def test_unknown_unit_is_told_with_the_one_that_was_meant(text):
    with pytest.raises(ValueError, match=rf"unknown unit '{text.lstrip('0123456789')}'.*did you mean '\d+Gi'"):
        amount(text)


@pytest.mark.parametrize("text", ["", "much", "-1", "1 Gi", "Gi", "0x10"])
def test_what_is_no_quantity_is_refused(text):
    with pytest.raises(ValueError, match=r"number with a unit|unknown unit"):
        amount(text)


@pytest.mark.parametrize("value, cpus", [(2, 2.0), (0.25, 0.25), ("500m", 0.5), ("4", 4.0)])
def test_cpus_are_numbers_or_texts(value, cpus):
    assert cpus_of(value) == cpus


@pytest.mark.parametrize("value", [0, -1, True, math.nan, math.inf, None, [], "0", "0.1m"])
def test_cpus_that_cannot_be_are_refused(value):
    with pytest.raises(ValueError, match=r"above 0|least"):
        cpus_of(value)


@pytest.mark.parametrize("value, gib", [(16, 16.0), (0.5, 0.5), ("16Gi", 16.0), ("512Mi", 0.5), ("2G", 2e9 / GIB)])
def test_memory_is_a_number_of_gib_or_a_text(value, gib):
    assert gib_of(value) == gib


def test_memory_without_a_unit_is_refused_since_kubernetes_would_take_it_for_bytes():
    with pytest.raises(ValueError, match="no unit: write '16Gi'"):
        gib_of("16")


def test_thousandth_of_a_byte_is_taken_for_the_slip_that_it_is():
    with pytest.raises(ValueError, match="did you mean '512Mi'"):
        gib_of("512m")


@pytest.mark.parametrize("value", [0, -4, False, math.nan, math.inf, None, {}])
def test_memory_that_cannot_be_is_refused(value):
    with pytest.raises(ValueError, match="GiB above 0"):
        gib_of(value)


@pytest.mark.parametrize("cpus", [0.001, 0.5, 1.0, 2.5, 64.0])
def test_cpus_in_words_are_read_back_as_they_were(cpus):
    assert amount(cpus_in_words(cpus)) == pytest.approx(cpus)


@pytest.mark.parametrize(
    "gib, words", [(16.0, "16Gi"), (1.5, "1536Mi"), (2e9 / GIB, "1953125Ki"), (1_000_001 / GIB, "1000001")]
)
def test_memory_is_written_in_the_largest_unit_that_fits(gib, words):
    assert gib_in_words(gib) == words
    assert amount(words) == pytest.approx(gib * GIB)
