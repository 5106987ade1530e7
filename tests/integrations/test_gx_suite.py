import json

import pytest

from airflow_mltest.core.errors import BrokenRunError, ConfigurationError
from airflow_mltest.integrations.gx_suite import read_expectations

BETWEEN = {"type": "expect_column_values_to_be_between", "kwargs": {"column": "age", "min_value": 0}}
YAML = """
- type: expect_column_values_to_be_between
  kwargs: {column: age, min_value: 0}
  severity: warning
"""


def types(expectations):
    return [expectation.configuration.type for expectation in expectations]


@pytest.mark.parametrize("name", ["suite.yaml", "suite.yml"])
@pytest.mark.parametrize("text", [YAML, "name: s\nexpectations:" + YAML.replace("\n", "\n  ")])
def test_yaml_is_read_as_json_is(tmp_path, name, text):
    (tmp_path / name).write_text(text)

    (expectation,) = read_expectations(str(tmp_path / name))

    assert expectation.configuration.type == BETWEEN["type"]
    assert expectation.severity.value == "warning"


@pytest.mark.parametrize("text", ["a: [", "type: expect_it", "!!python/object/apply:os.getcwd []"])
def test_yaml_that_is_no_list_of_expectations_is_named_and_runs_nothing(tmp_path, text):
    (tmp_path / "suite.yaml").write_text(text)

    with pytest.raises(ConfigurationError, match=r"suite\.yaml"):
        read_expectations(str(tmp_path / "suite.yaml"))


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """A file context as Great Expectations itself writes it, with the suite `flights`."""
    import great_expectations as gx

    folder = tmp_path_factory.mktemp("repository")
    context = gx.get_context(mode="file", project_root_dir=str(folder))
    context.suites.add(
        gx.ExpectationSuite(name="flights", expectations=[gx.expectations.ExpectColumnToExist(column="age")])
    )
    return folder


def test_suite_of_a_file_context_is_read_and_the_context_left_alone(repository):
    before = {path: path.stat().st_mtime_ns for path in repository.rglob("*")}

    assert types(read_expectations(f"{repository}#flights")) == ["expect_column_to_exist"]
    assert types(read_expectations(f"{repository}/gx#flights")) == ["expect_column_to_exist"]
    assert {path: path.stat().st_mtime_ns for path in repository.rglob("*")} == before


def test_suite_that_a_context_does_not_have_is_named_with_the_nearest(repository):
    with pytest.raises(ConfigurationError, match=r"no suite 'flihgts'\. Did you mean 'flights'"):
        read_expectations(f"{repository}#flihgts")


def test_expectation_that_a_context_would_drop_is_refused(repository):
    file = repository / "gx" / "expectations" / "broken.json"
    file.write_text(json.dumps({"name": "broken", "expectations": [{"type": "expect_column_to_exit", "kwargs": {}}]}))

    with pytest.raises(ConfigurationError, match="Did you mean 'expect_column_to_exist'"):
        read_expectations(f"{repository}#broken")


def test_expectation_that_a_factorys_suite_has_dropped_is_refused():
    def factory():
        import great_expectations as gx

        return gx.ExpectationSuite(name="s", expectations=[BETWEEN, {"type": "expect_column_to_exit", "kwargs": {}}])

    with pytest.raises(ConfigurationError, match=r"dropped an expectation .*expect_column_to_exit"):
        read_expectations(factory)


def test_factory_may_give_a_list():
    assert types(read_expectations(lambda: [BETWEEN])) == [BETWEEN["type"]]


def test_factory_that_raises_is_named_with_its_error():
    def broken():
        msg = "store is down"
        raise OSError(msg)

    with pytest.raises(BrokenRunError, match=r"broken.* raised OSError: store is down"):
        read_expectations(broken)


def test_factory_that_gives_something_else_is_refused():
    with pytest.raises(ConfigurationError, match="must be a list"):
        read_expectations(lambda: 3)


@pytest.mark.parametrize(
    "item, meant",
    [
        ({"type": "expect_column_values_to_be_betwen", "kwargs": {}}, "expect_column_values_to_be_between"),
        ({"type": "ExpectColumnValuesToBeBetween", "kwargs": {}}, "expect_column_values_to_be_between"),
        ({**BETWEEN, "kwargs": {"column": "age", "min_valeu": 0}}, "min_value"),
        ({**BETWEEN, "kwargs": {"colum": "age", "min_value": 0}}, "column"),
        ({"type": BETWEEN["type"], "kwarg": {"column": "age"}}, "kwargs"),
        ({**BETWEEN, "sevrity": "warning"}, "severity"),
    ],
)
def test_what_is_misspelt_is_named_with_the_nearest_right_name(item, meant):
    with pytest.raises(ConfigurationError, match=f"Did you mean '{meant}'"):
        read_expectations([item])
