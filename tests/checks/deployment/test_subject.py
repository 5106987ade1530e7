import pandas as pd
import pytest

from airflow_mltest.core.errors import BrokenRunError, ConfigurationError


def test_one_server_is_started_and_kept_as_long_as_it_lives(subject):
    made = subject()

    assert made.server is made.server
    assert len(made.servers) == 1


def test_server_that_has_died_is_replaced_for_the_next_check(subject):
    made = subject(lambda *_: None)
    with pytest.raises(BrokenRunError, match="farewell"):
        made.server.post("{}")

    assert made.server is made.servers[1]
    assert made.servers[0].stopped


def test_server_is_ended_once(subject):
    made = subject()
    assert made.server.alive

    made.end()
    made.end()

    assert made.servers[0].stopped


def test_only_the_columns_of_the_signature_are_sent_and_without_one_all(subject, doubles):
    assert list(subject().features) == ["x", "label"]
    assert list(subject(model=doubles(inputs=None)).features) == ["x", "label", "y"]


def test_column_that_the_signature_names_and_the_data_lacks_is_told(subject, rows):
    with pytest.raises(ConfigurationError, match="there is no column 'label'"):
        _ = subject(rows=rows[["x"]]).features


def test_rows_are_drawn_by_the_seed_each_once(subject):
    drawn = subject(seed=1).drawn(50)

    assert drawn.index.is_unique
    assert drawn.equals(subject(seed=1).drawn(50))
    assert not drawn.equals(subject(seed=2).drawn(50))
    assert len(subject().drawn(5000)) == 300


def test_no_rows_are_nothing_to_ask(subject, rows):
    with pytest.raises(ConfigurationError, match="no rows"):
        subject(rows=rows.head(0))


def test_model_that_raises_offline_or_forgets_a_row_is_told(subject, doubles, rows):
    model = doubles()
    model.predict = lambda _: 1 / 0
    with pytest.raises(ConfigurationError, match="doubles raised ZeroDivisionError offline"):
        subject(model=model).offline(rows)
    model.predict = lambda rows: pd.Series([1, 2])
    with pytest.raises(ConfigurationError, match="2 answers offline to 300 rows"):
        subject(model=model).offline(rows)
