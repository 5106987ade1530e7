import pytest

from airflow_mltest.core.errors import MissingExtraError
from airflow_mltest.extras import extra


def test_library_that_is_not_there_names_its_extra():
    with (
        pytest.raises(MissingExtraError, match=r"pip install 'airflow-mltest\[model\]'"),
        extra("model", provides="no_such_library"),
    ):
        import no_such_library.part  # noqa: F401


def test_library_that_is_broken_shows_its_own_cause():
    with (
        pytest.raises(ModuleNotFoundError, match="no_such_dependency") as error,
        extra("model", provides="some_library"),
    ):
        import no_such_dependency  # noqa: F401

    assert not isinstance(error.value, MissingExtraError)
