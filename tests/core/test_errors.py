import re

from airflow_mltest.core import errors
from airflow_mltest.core.errors import ConfigurationError, MissingExtraError, MltestError


def drawn():
    """Read the tree in the module's docstring: each class's name, and its parent's."""
    parents, path = {}, []
    for line in errors.__doc__.splitlines():
        found = re.match(r"^([|` -]*)(\w+Error)\b", line)
        if found:
            depth = len(found[1]) // 4
            path = [*path[:depth], found[2]]
            parents[found[2]] = path[-2] if depth else None
    return parents


def defined():
    classes = {name: value for name, value in vars(errors).items() if isinstance(value, type)}
    return {name: value.__bases__[0].__name__ if value is not MltestError else None for name, value in classes.items()}


def test_tree_that_is_drawn_is_the_tree_that_is_defined():
    assert drawn() == defined()
    assert len(drawn()) == 7


def test_each_error_says_when_it_is_raised():
    assert all(vars(errors)[name].__doc__ for name in defined())


def test_missing_extra_is_also_an_import_error():
    missing = MissingExtraError("mlflow is not installed", name="mlflow")

    assert isinstance(missing, ImportError)
    assert isinstance(missing, ConfigurationError)
    assert missing.name == "mlflow"
