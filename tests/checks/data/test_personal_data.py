import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_mltest.checks.data.personal_data import has_card, has_email, has_iban, has_phone, luhn


@pytest.mark.parametrize(
    "text",
    [
        "378282246310005", "5555555555554444", "2223003122003222", "6011111111111117", "3530111333300000",
        "30569309025904", "4111-1111-1111-1111", "no. 4111 1111 1111 1111.",
    ],
)  # fmt: skip
def test_cards_of_each_issuer_are_seen(text):
    assert has_card(text)


@pytest.mark.parametrize(
    "text", ["4111111111111112", "1234567812345670", "41111111111111110000", "4111.1111", "x4111111111111111"]
)
def test_other_numbers_are_no_cards(text):
    assert not has_card(text)


@given(st.text("0123456789", min_size=1, max_size=18))
def test_one_check_digit_of_ten_is_right(stem):
    assert sum(luhn(f"{stem}{digit}") for digit in range(10)) == 1


@pytest.mark.parametrize(
    "text",
    [
        "+1 (555) 123-4567",
        "+4930123456",
        "0049 30 123456",
        "(030) 123456",
        "555-123-4567",
        "0171 2345678",
        "tel:+33 1 23 45 67 89",
    ],
)
def test_phone_numbers_are_seen_as_people_write_them(text):
    assert has_phone(text)


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-31",
        "2026-01-31 10:00:00",
        "192.168.100.200",
        "1234567",
        "3.14159265",
        "+5",
        "12/31/2026",
        "00000",
        "1e+10",
        "0.1234567",
        "-0.12",
        "12:30:45",
    ],
)
def test_dates_addresses_and_measures_are_no_phone_numbers(text):
    assert not has_phone(text)


@pytest.mark.parametrize(
    "text, seen", [("a.b@c.example", True), ("a@b", False), ("@b.example", False), ("x@y.example.org.", True)]
)
def test_mail_addresses_are_seen(text, seen):
    assert has_email(text) is seen


@pytest.mark.parametrize(
    "text, seen",
    [
        ("DE89370400440532013000", True),
        ("DE89 3704 0044 0532 0130 00", True),
        ("DE88370400440532013000", False),
        ("ABCD", False),
    ],
)
def test_bank_accounts_are_seen_by_their_check_digits(text, seen):
    assert has_iban(text) is seen


@given(st.text())
def test_no_text_is_too_strange(text):
    for asked in (has_email, has_card, has_phone, has_iban):
        assert asked(text) in {True, False}
