"""The routes, over a store of the test's own; who may see what is asked in `test_access.py`."""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import pytest
from fastapi.testclient import TestClient

from airflow_mltest.core.decision import Decision, Finding
from airflow_mltest.core.errors import BrokenRunError
from airflow_mltest.core.outcome import Case, Measurement, Origin, Outcome, Suite
from airflow_mltest.reports.airflows import Airflows, Answer, Progress
from airflow_mltest.reports.store import Store

EVIL = "</title></style><script>alert(1)</script><img src=x onerror=alert(1)> \" onload='alert(1)' & {{ 7*7 }}"
# As long, since what is too long is shortened.
PLAIN = "w" * len(EVIL)
NOTHING = Airflows()
START = datetime(2026, 11, 24, 12, tzinfo=UTC)


class Tags(HTMLParser):
    """What a page is made of, and what it loads or leads to."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.links, self.text = [], [], []
        self.open, self.crossed = [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, *sorted(name for name, _ in attrs)))
        self.links += [value for name, value in attrs if name in {"src", "href", "action"}]

        if tag not in {"meta", "input", "br", "link"}:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, *sorted(name for name, _ in attrs)))

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.crossed.append(tag)

    def handle_data(self, data):
        self.text.append(data)


def kept(root, word, *, runs=2):
    """Keep runs in which everything that can be named is called *word*."""
    store = Store(root)
    for number in range(runs):
        measured = Measurement(name=word, value=0.4 + number, low=0.3, high=1.5, minimum=0.5, confidence=0.95)
        cases = (
            Case(name=word, outcome=Outcome.FAILED, detail=word, output=word, facts={word: word}, location=word),
            Case(name="measured", outcome=Outcome.PASSED, measurements=(measured,)),
        )
        for kind in ("model", "gate"):
            store.keep(
                Suite(
                    name=word,
                    kind=kind,
                    cases=cases,
                    origin=Origin(dag_id=word, run_id=f"{word} {number}", task_id=f"{word} {kind}"),
                    subject={"model": word, "version": f"{word} {number}"},
                    environment={word: word},
                    started_at=START + timedelta(hours=number),
                    incomplete=word,
                )
            )
    return store


def client_of(store, known=NOTHING):
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
    from airflow.api_fastapi.core_api.security import get_user

    from airflow_mltest.plugin import web

    app = web.create_app(lambda: store, lambda dag_id, run_id: known)
    app.dependency_overrides[get_user] = lambda: SimpleAuthManagerUser(username="u", role="admin")
    return TestClient(app)


@pytest.fixture(autouse=True)
def _login(monkeypatch):
    """Let everybody be an admin."""
    from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager

    from airflow_mltest.plugin import access

    manager = SimpleAuthManager()
    monkeypatch.setattr("airflow.api_fastapi.core_api.security.get_auth_manager", lambda: manager)
    monkeypatch.setattr(access, "get_auth_manager", lambda: manager)
    monkeypatch.setattr(access.DagModel, "get_team_name", lambda dag_id: None)
    monkeypatch.setattr(access.DagModel, "get_dag_id_to_team_name_mapping", lambda dag_ids: {})


def pages(store, word):
    finding = Finding(criterion=word, holds=False, seen=word, wanted=word)
    decision = Decision(
        model=word, version=word, digest=word, champion=word, approved=False, findings=(finding,), target=word,
        evidence={word: {"address": word, "digest": word}}, decided_at=word, subject={word: word},
    )  # fmt: skip
    known = Airflows(
        running=(Progress(task_id=word, done=1, total=2, doing=word),),
        decisions={f"{word} model": decision},
        answers=(Answer(task_id=word, question=word, chosen=word, by=word, at=START),),
    )
    client = client_of(store, known)
    one = {"dag_id": word, "run_id": f"{word} 1"}
    task = one | {"task_id": f"{word} model"}
    asked = [
        ("/overview", {}),
        ("/overview", {"dag": word, "kind": "model", "outcome": "failed", "model": word}),
        ("/suite", {"dag_id": word, "task_id": f"{word} model"}),
        ("/run", one),
        ("/task", task),
        ("/task", task | {"page": 1, "text": word}),
        ("/compare", {"dag_id": word, "run_id": f"{word} 0", "other": f"{word} 1"}),
    ]
    for path, params in asked:
        answer = client.get(path, params=params)
        assert answer.status_code == 200, path
        yield path, answer.text


def test_nothing_that_tests_have_named_or_printed_becomes_a_part_of_a_page(tmp_path):
    plain = list(pages(kept(tmp_path / "plain", PLAIN), PLAIN))
    evil = list(pages(kept(tmp_path / "evil", EVIL), EVIL))
    for (path, harmless), (_, page) in zip(plain, evil, strict=True):
        assert Counter(Tags(page).tags) - Counter(Tags(harmless).tags) == Counter(), path
        assert Counter(Tags(harmless).tags) - Counter(Tags(page).tags) == Counter(), path
        assert EVIL in "".join(Tags(page).text), path
        assert "{{ 7*7 }}" in page, path


def test_pages_load_their_own_script_and_lead_nowhere_but_below_airflow(tmp_path):
    for path, page in pages(kept(tmp_path, EVIL), EVIL):
        links = Tags(page).links
        assert "pages.js" in links, path
        allowed = ("#", "overview", "run?", "task?", "suite?", "compare", "download/", "task", "../dags/", "pages.js")
        assert [link for link in links if not link.startswith(allowed)] == [], path


def test_pages_have_a_title_one_heading_landmarks_and_captions(tmp_path):
    for path, page in pages(kept(tmp_path, "word"), "word"):
        tags = [tag for tag, *_ in Tags(page).tags]
        assert (tags.count("h1"), tags.count("main"), page.partition("<style>")[0].count("<title>")) == (1, 1, 1), path
        assert "nav" in tags
        assert tags.count("table") == tags.count("caption") + page.count('class="examples"'), path
        assert [level for level in ("h4", "h5", "h6") if level in tags] == [], path


def test_every_element_is_closed_where_it_was_opened(tmp_path):
    for path, page in pages(kept(tmp_path, EVIL), EVIL):
        assert (Tags(page).open, Tags(page).crossed) == ([], []), path


def test_run_shows_failures_first_then_suites_with_what_was_measured(tmp_path):
    page = client_of(kept(tmp_path, "word")).get("/run", params={"dag_id": "word", "run_id": "word 1"}).text
    text = "".join(Tags(page).text)

    assert text.index("Tests failed") < text.index("What has not passed") < text.index("Suites")
    assert "wanted" in page
    assert "<svg" in page
    assert "Still fails" in text


def test_task_instance_of_a_task_that_is_not_mapped_has_the_placeholder_that_airflow_leaves(tmp_path):
    asked = {"dag_id": "word", "run_id": "word 1", "task_id": "word model", "map_index": "{MAP_INDEX}"}
    answer = client_of(kept(tmp_path, "word")).get("/task", params=asked)

    assert answer.status_code == 200
    assert "Tests failed" in answer.text


def test_running_suite_says_how_far_it_is_and_loads_itself_again_until_it_has_ended(tmp_path):
    store, asked = kept(tmp_path, "word"), {"dag_id": "word", "run_id": "word 1"}
    moving = (Progress(task_id="word model", done=1_234, total=5_000, failed=3, doing="row 7"),)
    running = client_of(store, Airflows(running=moving)).get("/run", params=asked).text
    ended = client_of(store).get("/run", params=asked).text

    assert 'http-equiv="refresh"' in running
    assert 'value="1234"' in running
    assert "row 7" in running
    assert 'http-equiv="refresh"' not in ended


def test_downloads_are_files_that_can_be_read(tmp_path):
    client, asked = client_of(kept(tmp_path, "word")), {"dag_id": "word", "run_id": "word 1"}
    got = {name: client.get(f"/download/{name}", params=asked) for name in ("report.html", "report.json", "junit.xml")}

    assert len(json.loads(got["report.json"].content)["suites"]) == 2
    assert got["junit.xml"].text.startswith("<?xml")
    assert "<!DOCTYPE html>" in got["report.html"].text
    assert all(answer.headers["content-disposition"].startswith("attachment") for answer in got.values())
    of_one = client.get("/download/report.json", params=asked | {"task_id": "word gate"})
    assert len(json.loads(of_one.content)["suites"]) == 1


def test_filters_leave_what_fits(tmp_path):
    client = client_of(kept(tmp_path, "word"))

    assert "word gate" in client.get("/overview").text
    assert "word%20model" not in client.get("/overview", params={"kind": "gate"}).text.partition("clusters")[0]
    assert "There is nothing to show" in client.get("/overview", params={"outcome": "passed"}).text
    assert "There is nothing to show" in client.get("/overview", params={"model": "another"}).text


def test_run_that_nothing_is_known_of_says_so(tmp_path):
    page = client_of(kept(tmp_path, "word")).get("/run", params={"dag_id": "..", "run_id": ".."})

    assert page.status_code == 200
    assert "No suite of this run is in the report store" in page.text


def test_report_that_is_damaged_is_shown_as_such(tmp_path):
    store = kept(tmp_path, "word", runs=1)
    for path in tmp_path.rglob("1.json"):
        path.write_text("{")
    answer = client_of(store).get("/run", params={"dag_id": "word", "run_id": "word 0"})

    assert answer.status_code == 200
    assert "unreadable" in answer.text


def test_store_that_cannot_be_read_is_told_in_words_and_the_reason_goes_to_the_log_alone(caplog):
    class Away:
        @property
        def root(self):
            raise BrokenRunError("the key s3cret is not valid")  # noqa: EM101, TRY003  as a client's own

    answer = client_of(Away()).get("/overview")

    assert (answer.status_code, "report_root" in answer.text, "s3cret" in answer.text) == (500, True, False)
    assert "frame-ancestors 'self'" in answer.headers["content-security-policy"]
    assert "s3cret" in caplog.text
