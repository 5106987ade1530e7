import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_mltest.core.deployment import Deployment, deployment_of


def mistakes_in(**said):
    return deployment_of(said)[1]


def test_all_that_a_file_may_say_is_read():
    deployment, mistakes = deployment_of(
        {
            "model": "models:/late-flights@champion",
            "python": "/opt/model/bin/python",
            "env_manager": "local",
            "workers": 2,
            "env": {"THRESHOLD": 0.5, "TOKEN": "very-secret"},
            "memory_gib": 1.5,
            "health": "/health",
            "invocations": "/predict",
            "packages": ["scikit-learn==1.7.2", "mlflow[extras] == 3.17.2"],
            "python_version": "3.11",
        }
    )

    assert mistakes == []
    assert deployment == Deployment(
        model="models:/late-flights@champion",
        python="/opt/model/bin/python",
        workers=2,
        env={"THRESHOLD": "0.5", "TOKEN": "very-secret"},
        memory_gib=1.5,
        health="/health",
        invocations="/predict",
        packages={"scikit-learn": "1.7.2", "mlflow": "3.17.2"},
        python_version="3.11",
    )


def test_an_empty_mapping_is_mlflows_server_as_it_is():
    assert deployment_of({}) == (Deployment(), [])


@pytest.mark.parametrize(
    "said, words",
    [
        ({"worker": 2}, "worker: there is no such key; did you mean 'workers'?"),
        ({"colour": "red"}, "colour: there is no such key"),
        ({"workers": 0}, "workers: it is a whole number from 1, not 0"),
        ({"workers": True}, "workers: it is a whole number from 1, not True"),
        ({"workers": "two"}, "workers: it is a whole number from 1, not 'two'"),
        ({"memory_gib": 0}, "memory_gib: it is a number of GiB above 0, not 0"),
        ({"memory_gib": float("nan")}, "memory_gib: it is a number of GiB above 0, not nan"),
        ({"memory_gib": "2Gi"}, "memory_gib: it is a number of GiB above 0, not '2Gi'"),
        ({"model": 3}, "model: it is a text, not a int"),
        ({"health": "ping"}, "health: it is a path of the server that begins with '/', not 'ping'"),
        ({"env_manager": "virtualenv"}, "env_manager: 'virtualenv' is not supported"),
        ({"python_version": 3.1}, "python_version: it is a text such as '3.11'"),
        ({"packages": {"numpy": 2.1}}, "packages: it is a mapping of names and versions in quotes"),
        ({"packages": ["numpy>=2"]}, "'numpy>=2'"),
        ({"command": "./serve.sh {port}"}, "command: it is a list of words"),
        ({"command": ["./serve.sh"]}, "command: it needs the placeholder {port}"),
        ({"command": ["./serve.sh", "{prot}"]}, "{prot} is none of {host}, {port}, {model}; did you mean '{port}'?"),
        ({"command": ["./serve.sh", "{port}"], "workers": 2}, "workers: `command` starts the server, so say it there"),
    ],
)
def test_mistake_is_told_with_its_field_and_what_is_right(said, words):
    (mistake,) = mistakes_in(**said)

    assert words in mistake


def test_all_mistakes_are_told_at_once_and_the_rest_is_read():
    deployment, mistakes = deployment_of({"wrokers": 2, "memory_gib": -1, "health": "/up", "env": ["A=1"]})

    assert [mistake.partition(":")[0] for mistake in mistakes] == ["wrokers", "memory_gib", "env"]
    assert deployment == Deployment(health="/up")


@pytest.mark.parametrize("said", [None, [], "models:/a/1", 3])
def test_what_is_no_mapping_is_refused(said):
    assert "not a mapping of model, python" in deployment_of(said)[1][0]


fields = st.sampled_from(["model", "python", "workers", "env", "memory_gib", "command", "health", "packages", "other"])
values = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
nested = values | st.lists(values, max_size=3) | st.dictionaries(st.text(max_size=5), values, max_size=3)


@given(st.dictionaries(fields, nested, max_size=4))
def test_whatever_a_file_says_is_read_or_told(said):
    deployment, mistakes = deployment_of(said)

    told = {mistake.partition(":")[0] for mistake in mistakes}
    assert "other" not in said or "other" in told
    assert "workers" in told or deployment.workers == said.get("workers", 1)
    assert deployment.workers >= 1
    assert deployment.memory_gib is None or deployment.memory_gib > 0


@pytest.mark.parametrize(
    "env",
    [
        {"PASSWORD": ["hunter2hunter2"]},
        {"PASSWORD": {"hunter2hunter2": 1}},
        ["PASSWORD=hunter2hunter2"],
        "hunter2hunter2",
    ],
)
def test_value_of_a_variable_is_in_no_mistake(env):
    (mistake,) = mistakes_in(env=env)

    assert "hunter2" not in mistake


def test_values_of_variables_are_left_out_of_a_text_and_of_the_deployment_itself():
    deployment, _ = deployment_of({"env": {"A": "secret", "B": "secret-longer", "C": "1"}})

    assert deployment.hidden("secret-longer, secret, 1") == "***, ***, 1"
    assert "secret" not in repr(deployment)


def test_report_names_the_variables_and_not_their_values():
    deployment, _ = deployment_of({"env": {"TOKEN": "secret"}, "command": ["serve", "{port}", "--key=secret"]})

    assert deployment.shown == {"workers": 1, "env": ["TOKEN"], "command": "serve"}
