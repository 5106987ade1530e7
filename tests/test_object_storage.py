"""Data and reports in S3: Airflow's own client for it, and a server that speaks its API on loopback."""

import json
import threading
import uuid
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from moto import server as moto_server

from airflow_mltest.core.errors import BrokenRunError, ConfigurationError
from airflow_mltest.core.outcome import Case, Origin, Outcome, Suite

ROWS = pd.DataFrame({"age": [20, 35, 41], "month": [1, 2, 3]})
ALL = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
MARCH = datetime(2026, 3, 1, tzinfo=UTC)


def keys(login, password):
    return {"aws_access_key_id": login, "aws_secret_access_key": password, "region_name": "us-east-1"}


def connection(url, login, password):
    extra = {"endpoint_url": url, "region_name": "eu-west-1"}
    return json.dumps({"conn_type": "aws", "login": login, "password": password, "extra": extra})


@pytest.fixture(scope="module")
def s3():
    """Start the server with the bucket `lake`: the connection `lake` may do all there, `stranger` nothing."""
    import boto3

    server = moto_server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    environment = pytest.MonkeyPatch()
    try:
        url = f"http://127.0.0.1:{server.get_host_and_port()[1]}"
        iam = boto3.client("iam", endpoint_url=url, **keys("first", "first"))
        iam.create_user(UserName="member")
        iam.put_user_policy(UserName="member", PolicyName="all", PolicyDocument=json.dumps(ALL))
        key = iam.create_access_key(UserName="member")["AccessKey"]
        member = key["AccessKeyId"], key["SecretAccessKey"]
        client = boto3.client("s3", endpoint_url=url, **keys(*member))
        client.create_bucket(Bucket="lake")
        environment.setattr("moto.settings.INITIAL_NO_AUTH_ACTION_COUNT", 0)  # from here on it asks who is there
        environment.setenv("AIRFLOW_CONN_LAKE", connection(url, *member))
        environment.setenv("AIRFLOW_CONN_STRANGER", connection(url, "stranger", "guess"))
        yield client
    finally:
        environment.undo()
        server.stop()


@pytest.fixture
def put(s3):
    """Write a file into a folder of the bucket that is this test's alone, past the client under test; give its URL."""
    folder = uuid.uuid4().hex

    def put(name, rows=ROWS):
        content = rows.to_parquet() if name.endswith("parquet") else rows.to_csv(index=False).encode()
        s3.put_object(Bucket="lake", Key=f"{folder}/{name}", Body=content)
        return f"s3://lake@lake/{folder}/{name}"

    put.folder = f"s3://lake@lake/{folder}"
    return put


def path(url):
    from airflow.sdk import ObjectStoragePath

    return ObjectStoragePath(url)


def read(url):
    from airflow_mltest.integrations.pandas_table import read_table

    return read_table(path(url))


@pytest.mark.parametrize("name", ["rows.parquet", "rows.csv"])
def test_file_is_read_with_its_digest(put, name, tmp_path):
    from airflow_mltest.integrations.pandas_table import read_table

    url = put(name)
    local = tmp_path / name
    ROWS.to_parquet(local) if name.endswith("parquet") else ROWS.to_csv(local, index=False)

    table = read(url)

    assert table.rows.equals(ROWS)
    assert table.name == url
    assert table.digest == read_table(local).digest


@pytest.mark.parametrize("where", ["*/*.parquet", "month=?/part.parquet", ""])
def test_partitions_in_the_names_of_folders_are_columns(put, where):
    for month in (1, 2, 3):
        put(f"month={month}/part.parquet", ROWS.loc[ROWS["month"] == month, ["age"]])

    rows = read(f"{put.folder}/{where}").rows

    assert rows["age"].tolist() == [20, 35, 41]
    assert rows["month"].tolist() == [1, 2, 3]


def test_folder_of_csv_files_is_one_table(put):
    put("1.csv")
    put("2.csv")

    assert len(read(put.folder).rows) == 6


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_files_beyond_memory_are_read_in_batches(put, ending, monkeypatch):
    from airflow_mltest.operators import data_source

    monkeypatch.setattr(data_source, "LARGE_BYTES", 0)
    put(f"1.{ending}")
    put(f"2.{ending}")

    data = data_source.opened(path(put.folder), [("month", "<", 3)], whole=False)

    assert isinstance(data, data_source.InFiles)
    assert [part["age"].tolist() for part in data.source.batches(["age"])] == [[20, 35], [20, 35]]
    assert data.digest.startswith("sha256:")


@pytest.mark.parametrize("where", ["", "/*.parquet"])
def test_files_that_others_wrote_since_the_last_look_are_found(put, where):
    put("1.parquet")
    assert len(read(put.folder + where).rows) == 3

    put("2.parquet")

    assert len(read(put.folder + where).rows) == 6


@pytest.mark.parametrize("url", ["s3://lake@lake/gone.parquet", "s3://lake@lake/gone/*.csv", "s3://lake@no-bucket/a"])
def test_what_is_not_there_is_told_by_its_address(s3, url):
    with pytest.raises(BrokenRunError, match="nothing at") as raised:
        read(url)
    assert url in str(raised.value)


def test_wrong_credentials_are_told_with_what_to_check(put):
    url = put("rows.parquet").replace("lake@", "stranger@")

    for place in (url, url.replace("rows", "*"), url.rpartition("/")[0]):
        with pytest.raises(BrokenRunError, match=r"stranger@lake.*PermissionError.*Check the connection"):
            read(place)


def test_storage_for_which_nothing_is_installed_is_told_by_what_to_install():
    with pytest.raises(ConfigurationError, match=r"no client here for 'gs://lake/.*Install the Airflow provider"):
        read("gs://lake/rows.parquet")


def suite(task="a", outcome="passed", *, run="r", dag="d", try_number=1, cases=1, started_at=MARCH):
    origin = Origin(dag_id=dag, run_id=run, task_id=task, try_number=try_number)
    answers = tuple(Case(name=f"c{number}", outcome=Outcome(outcome)) for number in range(cases))
    return Suite(name=task, kind="model", cases=answers, origin=origin, started_at=started_at)


@pytest.fixture
def store(put):
    from airflow_mltest.reports.store import Store

    return Store(path(put.folder))


@pytest.fixture
def held(s3, put):
    """List what the server holds of this test, without the index."""
    prefix = put.folder.removeprefix("s3://lake@lake/")

    def held():
        found = s3.list_objects_v2(Bucket="lake", Prefix=prefix).get("Contents", [])
        keys = [item["Key"].removeprefix(f"{prefix}/") for item in found]
        return [key for key in keys if not key.startswith("=index/")]

    return held


@pytest.fixture
def copy(s3, put):
    """Copy an object as another worker would write it: past the client under test, and its memory of listings."""
    prefix = put.folder.removeprefix("s3://lake@lake/")

    def copy(source, target):
        s3.copy_object(Bucket="lake", Key=f"{prefix}/{target}", CopySource=f"lake/{prefix}/{source}")

    return copy


def test_suites_and_reports_are_kept_and_read_back(store, put, held):
    address = store.keep(suite("group.task", "failed"))
    store.keep(suite("group.task", "passed"))
    (kept,) = store.kept("d", "r")

    assert address == kept.address == f"{put.folder}/d/r/group%2Etask@-1/1.json"
    assert kept.suite == suite("group.task", "passed")
    assert len(kept.digest) == 71
    store.write("d", "r", "report", {"report.html": "ü"})
    assert store.written("d", "r", "report", "report.html").decode() == "ü"
    with pytest.raises(BrokenRunError, match=r"no readable .*d/r/report/gone\.html"):
        store.written("d", "r", "report", "gone.html")
    assert [at.name for at in store.attached("d", "r", "group.task", "log")] == []
    store.attach(suite("group.task").origin, "log", b"1")
    assert [at.name for at in store.attached("d", "r", "group.task", "log")] == ["1.log"]
    assert held() == ["d/r/group%2Etask@-1/1.json", "d/r/group%2Etask@-1/1.log", "d/r/report/report.html"]


def test_attachments_lie_beside_their_suite(store, put, held):
    kept = store.put(suite(), {"data-docs.html": "ü"})

    assert held() == ["d/r/a@-1/1.data-docs.html", "d/r/a@-1/1.json"]
    assert path(f"{put.folder}/d/r/{kept.suite.attachments[0]}").read_text(encoding="utf-8") == "ü"


def test_what_others_kept_since_the_last_look_is_seen(store, copy):
    store.keep(suite("a", "failed"))
    store.keep(suite("a", "passed", try_number=2))
    assert store.earlier(suite("a", try_number=9).origin).origin.try_number == 2
    assert len(store.kept("d", "r")) == 1

    copy("d/r/a@-1/1.json", "d/r/a@-1/3.json")
    assert store.earlier(suite("a", try_number=9).origin).outcome is Outcome.FAILED
    copy("d/r/a@-1/1.json", "d/r/b@-1/1.json")
    assert [kept.suite.outcome for kept in store.kept("d", "r")] == ["failed", "failed"]


def test_past_is_read_newest_first_with_the_runs_of_others(store, copy):
    runs = [f"scheduled__{(MARCH + timedelta(days=day)).isoformat()}" for day in range(3)]
    for day, run in enumerate(runs):
        store.keep(suite(run=run, started_at=MARCH + timedelta(days=day)))
    past = store.past("d", "a", before=MARCH + timedelta(days=2))
    assert [one.started_at.day for one in past] == [2, 1]

    folder = runs[0].replace(":", "%3A").replace("+", "%2B")
    copy(f"d/{folder}/a@-1/1.json", f"d/{folder.replace('T00', 'T05')}/a@-1/1.json")

    assert len(store.past("d", "a", before=MARCH + timedelta(days=2))) == 3
    assert store.past("another", "a", before=MARCH) == []


@pytest.mark.parametrize("name", ["", "..", "../..", "a/b", "a//b", "a\\b", "%2E", "a@1", "=", "*", "a ?#&+b", "ü☃"])
def test_odd_names_are_kept_apart_below_the_root(store, held, name):
    store.keep(suite(name, run=name, dag=name))
    store.keep(suite(f"{name}x", run=name, dag=name))

    assert sorted(kept.suite.name for kept in store.kept(name, name)) == [name, f"{name}x"]
    assert [key.count("/") for key in held()] == [3, 3]


def test_many_writers_lose_nothing_and_no_reader_sees_half_a_file(store, held):
    stop, torn, failed = threading.Event(), [], []

    def look():
        while not stop.is_set():
            torn.extend(kept.suite.incomplete for kept in store.kept("d", "r") if kept.suite.incomplete)

    def write(task):
        try:
            for outcome in ("passed", "failed") * 8:
                store.keep(suite(task, outcome, cases=50))
        except BrokenRunError as error:
            failed.append(str(error))

    reader = threading.Thread(target=look)
    writers = [threading.Thread(target=write, args=(f"t{number // 2}",)) for number in range(8)]
    for thread in [reader, *writers]:
        thread.start()
    for thread in writers:
        thread.join()
    stop.set()
    reader.join()

    assert (torn, failed) == ([], [])
    assert [kept.suite.outcome for kept in store.kept("d", "r")] == ["failed"] * 4
    assert len(held()) == 4


def test_index_is_listed_made_anew_and_pruned(s3, put, store, held):
    from airflow_mltest.reports.index import Index
    from airflow_mltest.reports.prune import prune
    from airflow_mltest.reports.rebuild import rebuild

    index, root = Index(path(put.folder)), path(put.folder)
    for day in range(3):
        store.put(suite(outcome="failed", run=f"r{day}", cases=2, started_at=MARCH + timedelta(days=day)), {"x": "ü"})
    runs = index.runs("d", "a", most=2)
    assert [(run.run_id, run.outcome, run.counts["failed"]) for run in runs] == [
        ("r2", "failed", 2),
        ("r1", "failed", 2),
    ]
    assert [[one.metrics for one in told] for told in index.details(runs)] == [[{}], [{}]]

    s3.delete_object(Bucket="lake", Key=runs[0].entries[0].path.path.removeprefix("lake/"))
    assert [run.run_id for run in index.runs("d", "a")] == ["r1", "r0"]
    assert rebuild(root) == (3, 0)
    assert index.runs("d", "a", most=2) == runs

    assert [run.files for run in prune(root, before=MARCH + timedelta(days=2))] == [2, 2]
    assert held() == ["d/r2/a@-1/1.json", "d/r2/a@-1/1.x"]
    assert index.runs("d", "a") == runs[:1]


def test_root_in_a_bucket_that_is_not_there_is_told_and_makes_none(s3):
    from airflow_mltest.reports.store import Store

    with pytest.raises(BrokenRunError, match=r"lake@no-bucket.*bucket does not exist.*report_root"):
        Store(path("s3://lake@no-bucket/reports")).keep(suite())
    assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]] == ["lake"]


def test_root_that_refuses_is_told_to_who_writes_and_who_reads(s3):
    from airflow_mltest.reports.store import Store

    refusing = Store(path("s3://stranger@lake/reports"))
    with pytest.raises(BrokenRunError, match=r"stranger@lake.*cannot be written: PermissionError.*report_root"):
        refusing.keep(suite())
    with pytest.raises(BrokenRunError, match=r"stranger@lake.*cannot be read: PermissionError.*report_root"):
        refusing.kept("d", "r")


def test_task_reads_its_data_and_keeps_its_suite_in_object_storage(put, store, tmp_path, monkeypatch):
    from airflow.sdk import DAG

    from airflow_mltest.checks.data.row_count import RowCount
    from airflow_mltest.operators.data import DataTestOperator
    from airflow_mltest.testing.dag_run import dag_runner

    for month in (1, 2, 3):
        put(f"data/month={month}/part.parquet", ROWS.loc[ROWS["month"] == month, ["age"]])
    data, checks = f"{put.folder}/data/*/*.parquet", [RowCount(minimum=3), RowCount(minimum=4)]
    monkeypatch.setenv("AIRFLOW__MLTEST__REPORT_ROOT", put.folder)
    with DAG("lake", schedule=None) as dag:
        DataTestOperator(task_id="rows", data=data, checks=checks)

    with dag_runner(tmp_path / "airflow", home=tmp_path, relative_to=tmp_path) as run:
        ran = run(dag)

    (kept,) = store.kept("lake", ran.run_id)
    assert ran.states == {"rows": "failed"}
    assert [case.outcome for case in kept.suite.cases] == ["passed", "failed"]
    assert kept.suite.subject["data"] == data
    assert kept.address == ran.pushed["summary"]["rows"]["address"]
    assert kept.address.startswith(f"{put.folder}/lake/")
