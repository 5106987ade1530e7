import runpy
from pathlib import Path

import pytest

from airflow_mltest import http_client
from airflow_mltest.core.errors import BrokenRunError, ConfigurationError
from airflow_mltest.integrations import forge as forge_module
from airflow_mltest.integrations.forge import Status, forge_of

listening = runpy.run_path(str(Path(__file__).parents[1] / "listener.py"))["listening"]
TOKEN, SHA = "s3cret-of-the-forge", "0123456789abcdef0123456789abcdef01234567"
STATES = ("pending", "success", "failure", "error")
FORGES = ("github", "gitlab", "gitea")


@pytest.fixture
def listener(monkeypatch):
    monkeypatch.setattr(http_client, "_FIRST_WAIT_S", 0.02)
    monkeypatch.setattr(forge_module, "_PATIENCE_S", 0.5)
    with listening() as listener:
        yield listener


@pytest.fixture
def forge(listener):
    """Give the forge of a kind that listens here."""
    return lambda kind, path="team/code.git": forge_of(f"{listener.url}/{path}", TOKEN, kind)


def status(state="failure", **more):
    return Status(
        **{"state": state, "name": "airflow/ci", "description": "2 failed", "target_url": "http://a/b", **more}
    )


@pytest.mark.parametrize("state", STATES)
def test_github_is_asked_as_it_documents(listener, forge, state):
    forge("github").set_status(SHA, status(state))

    (asked,) = listener.asked
    assert (asked.method, asked.path) == ("POST", f"/api/v3/repos/team/code/statuses/{SHA}")
    assert asked.headers["authorization"] == f"Bearer {TOKEN}"
    assert asked.headers["accept"] == "application/vnd.github+json"
    assert asked.headers["x-github-api-version"] == "2022-11-28"
    assert asked.headers["content-type"] == "application/json"
    assert asked.body == {
        "state": state,
        "context": "airflow/ci",
        "description": "2 failed",
        "target_url": "http://a/b",
    }


@pytest.mark.parametrize("state, theirs", zip(STATES, ("pending", "success", "failed", "failed"), strict=True))
def test_gitlab_is_asked_as_it_documents(listener, forge, state, theirs):
    forge("gitlab", "group/team/code.git").set_status(SHA, status(state))

    (asked,) = listener.asked
    assert (asked.method, asked.path) == ("POST", f"/api/v4/projects/group%2Fteam%2Fcode/statuses/{SHA}")
    assert asked.headers["private-token"] == TOKEN
    assert asked.body == {
        "state": theirs,
        "context": "airflow/ci",
        "description": "2 failed",
        "target_url": "http://a/b",
    }


@pytest.mark.parametrize("state", STATES)
def test_gitea_is_asked_as_it_documents(listener, forge, state):
    forge("gitea", "under/team/code").set_status(SHA, status(state))

    (asked,) = listener.asked
    assert (asked.method, asked.path) == ("POST", f"/under/api/v1/repos/team/code/statuses/{SHA}")
    assert asked.headers["authorization"] == f"token {TOKEN}"
    assert asked.body == {
        "state": state,
        "context": "airflow/ci",
        "description": "2 failed",
        "target_url": "http://a/b",
    }


@pytest.mark.parametrize("kind", FORGES)
def test_description_is_one_line_of_at_most_140_characters(listener, forge, kind):
    forge(kind).set_status(SHA, status(description="tests\nfailed: " + "ä" * 300, target_url=""))

    body = listener.asked[0].body
    assert body["description"] == "tests failed: " + "ä" * 125 + "…"
    assert len(body["description"]) == 140
    assert "target_url" not in body


@pytest.mark.parametrize("kind", FORGES)
def test_forge_with_an_error_of_its_own_is_asked_again(listener, forge, kind):
    listener.answer_next(500, 503)
    forge(kind).set_status(SHA, status())

    assert len(listener.asked) == 3


@pytest.mark.parametrize("kind", FORGES)
@pytest.mark.parametrize(
    "code, words",
    [
        (401, "does not take the token"),
        (403, "does not let the token set a status"),
        (404, f"shows the token no commit '{SHA}' of 'team/code'"),
        (422, f"refuses the status of '{SHA}' of 'team/code'"),
    ],
)
def test_refusal_says_what_to_do_and_not_the_token(listener, forge, kind, code, words):
    listener.answer(code, {"message": f"no, {TOKEN}"})

    with pytest.raises(ConfigurationError, match=words) as refused:
        forge(kind).set_status(SHA, status())
    assert "no, ***" in str(refused.value)
    assert TOKEN not in str(refused.value) + repr(forge(kind))
    assert len(listener.asked) == 1


def test_forge_that_stays_away_is_given_up(listener, forge):
    listener.answer(502)

    with pytest.raises(BrokenRunError, match=r"gitea at http://127.* does not answer POST"):
        forge("gitea").set_status(SHA, status())


def transition(state):
    return {"message": f"Cannot transition status via :enqueue from :{state} (Reason(s): Status cannot transition)"}


@pytest.mark.parametrize("state, stands", [("pending", "pending"), ("pending", "running"), ("failure", "failed")])
def test_gitlab_that_has_the_status_already_is_done(listener, forge, state, stands):
    listener.answer(400, transition(stands))

    forge("gitlab").set_status(SHA, status(state))
    assert len(listener.asked) == 1


def test_gitlab_that_has_another_status_and_keeps_it_is_an_error(listener, forge):
    listener.answer(400, transition("success"))

    with pytest.raises(ConfigurationError, match="Cannot transition"):
        forge("gitlab").set_status(SHA, status("failure"))


@pytest.mark.parametrize(
    "address, kind, url, repository",
    [
        ("https://github.com/team/code.git", "github", "https://github.com", "team/code"),
        ("https://user:old@github.com/team/code", "github", "https://github.com", "team/code"),
        ("git@gitlab.example:a/b/code.git", "gitlab", "https://gitlab.example", "a/b/code"),
        ("ssh://git@gitea.example:2222/team/code.git", "gitea", "https://gitea.example", "team/code"),
        ("https://codeberg.org/team/code", "gitea", "https://codeberg.org", "team/code"),
        ("http://gitlab.example:8080/team/code.git", "gitlab", "http://gitlab.example:8080", "team/code"),
    ],
)
def test_forge_is_known_by_the_address_that_git_has(address, kind, url, repository):
    forge = forge_of(address, TOKEN)

    assert (forge.kind, forge.url, forge.repository) == (kind, url, repository)


def test_api_of_github_itself_has_a_host_of_its_own():
    assert forge_of("https://github.com/team/code", TOKEN)._place(SHA)[0] == "https://api.github.com"


@pytest.mark.parametrize(
    "address, kind, words",
    [
        ("https://code.example/team/code.git", "", "'code.example' is none of the forges github, gitlab, gitea"),
        ("https://code.example/team/code.git", "svn", "'svn' is none of the forges"),
        ("/srv/git/code.git", "github", "no repository of a forge"),
        ("https://github.com/team", "", "no repository of a forge"),
        ("", "", "no repository of a forge"),
    ],
)
def test_address_of_no_forge_is_refused(address, kind, words):
    with pytest.raises(ConfigurationError, match=words):
        forge_of(address, TOKEN, kind)


def test_commit_without_a_name_is_refused(forge, listener):
    with pytest.raises(ConfigurationError, match="there is no commit of team/code"):
        forge("gitea").set_status("", status())
    assert not listener.asked
