import base64
import concurrent.futures
import ipaddress
import logging
import os
import runpy
import socket
import ssl
import subprocess
import sys
import threading
import time
import traceback
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from airflow_mltest.core.errors import BrokenRunError, ConfigurationError
from airflow_mltest.integrations.mlflow_access import MlflowAccess
from airflow_mltest.integrations.mlflow_registry import MlflowRegistry, digest_of

HELPERS = Path(__file__).parents[1]
serving = runpy.run_path(str(HELPERS / "mlflow_server.py"))["serving"]
PROXY = runpy.run_path(str(HELPERS / "fault_proxy.py"))
FAULTS, CARRIED_OUT = PROXY["FAULTS"], PROXY["CARRIED_OUT"]
READER, READERS_PASSWORD = "reader", "may-read-and-no-more"
numbers = count()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A real server; `churn` has two versions that nobody changes."""
    with serving(tmp_path_factory.mktemp("mlflow")) as server:
        server.add_user(READER, READERS_PASSWORD)
        server.register("churn", MLmodel="one: 1")
        server.register("churn", MLmodel="one: 2", weights="2")
        yield server


@pytest.fixture
def model(server):
    """A model of the test's own, with two versions."""
    name = f"own-{next(numbers)}"
    server.register(name, MLmodel="one: 1")
    server.register(name, MLmodel="one: 2", weights="2")
    return name


@pytest.fixture(scope="module")
def proxy(server):
    with PROXY["FaultProxy"](server.port) as proxy:
        yield proxy


@pytest.fixture(autouse=True)
def _forward(request):
    if "proxy" in request.fixturenames:
        request.getfixturevalue("proxy").heal()


def registry_at(server, uri=None, **access):
    return MlflowRegistry(
        uri or server.uri, MlflowAccess(**{"username": server.user, "password": server.password, **access})
    )


# What is asked over HTTP is what a database is asked, and means the same.


def test_alias_tags_and_versions_are_kept_by_a_server(server, model):
    registry = registry_at(server)
    registry.point(model, "champion", "2")
    registry.tag(model, "1", {"a": "b", "evidence": '{"it\'s": "50 %"}'})
    registry.tag_model(model, "claim", "mine")
    assert registry.version_of(model, "champion") == "2"
    assert registry.tags(model, "1") == {"a": "b", "evidence": '{"it\'s": "50 %"}'}
    assert registry.tags(model, "2") == {}
    assert registry.model_tags(model) == {"claim": "mine"}
    assert registry.versions(model) == ["2", "1"]
    assert registry.versions("unknown") == []

    for _ in range(2):
        registry.unpoint(model, "champion")
        registry.tag_model(model, "claim", None)
    assert registry.version_of(model, "champion") is None
    assert registry.model_tags(model) == {}


def test_digest_behind_a_server_is_that_of_the_files_that_were_logged(server, tmp_path):
    (tmp_path / "MLmodel").write_text("one: 2")
    (tmp_path / "weights").write_text("2")

    assert registry_at(server).digest("churn", "2") == digest_of(tmp_path)


@pytest.mark.parametrize(
    "ask",
    [
        lambda registry: registry.version_of("unknown", "champion"),
        lambda registry: registry.digest("churn", "99"),
        lambda registry: registry.digest("churn", "x"),
        lambda registry: registry.tags("churn", "99"),
        lambda registry: registry.tag("churn", "99", {"a": "b"}),
        lambda registry: registry.point("churn", "champion", "99"),
        lambda registry: registry.unpoint("unknown", "champion"),
        lambda registry: registry.tag_model("unknown", "a", None),
        lambda registry: registry.copy("churn", "99", "prod", {"a": "b"}),
    ],
)
def test_what_does_not_exist_on_a_server_is_named(server, ask):
    with pytest.raises(ConfigurationError, match=r"has no .*(unknown|99|'x')"):
        ask(registry_at(server))


def test_registry_work_needs_no_more_than_the_skinny_mlflow(server, model):
    code = f"""
import sys
from airflow_mltest.integrations.mlflow_registry import MlflowAccess, MlflowRegistry

registry = MlflowRegistry({server.uri!r}, MlflowAccess(username={server.user!r}, password={server.password!r}))
registry.tag({model!r}, "1", {{"a": "b"}})
registry.point({model!r}, "champion", "1")
assert registry.version_of({model!r}, "champion") == "1"
assert registry.copy({model!r}, "1", {model!r} + "-prod", {{"a": "b"}}) == "1"
print(sorted({{"mlflow", "numpy", "pandas", "sqlalchemy"}} & sys.modules.keys()))

for name in ("numpy", "pandas", "scipy", "sklearn", "sqlalchemy", "pyarrow", "flask", "matplotlib"):
    sys.modules[name] = None  # as if it were not installed
print(registry.digest({model!r}, "1") == registry.digest({model!r} + "-prod", "1"))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.stdout.splitlines() == ["[]", "True"], done.stderr


# Copies.


def creation(proxy, model):
    """Which request of a copy makes the version."""
    return 1 + [path.rpartition("/")[2] for _, path in proxy.requests].index("create", 4)


@pytest.mark.parametrize("how", sorted({*FAULTS} - {"refused"}))
def test_copy_whose_creation_was_disturbed_is_made_once_in_the_end(server, proxy, model, how):
    registry = registry_at(server, proxy.uri, timeout_s=4)
    registry.copy(model, "1", f"{model}-first", {"decision": "d"})
    proxy.fail(creation(proxy, model), how)
    lost = nullcontext() if how in CARRIED_OUT else pytest.raises(BrokenRunError, match=r"may have been carried out\.$")
    with lost:
        assert registry.copy(model, "2", f"{model}-prod", {"decision": "d"}) == "1"
    proxy.heal()

    assert registry.copy(model, "2", f"{model}-prod", {"decision": "d"}) == "1"
    assert registry.versions(f"{model}-prod") == ["1"]


def test_copy_of_something_else_with_the_same_tags_is_not_taken_for_it(server, model):
    registry = registry_at(server)
    copies = [registry.copy(model, version, f"{model}-prod", {"decision": "d"}) for version in ("1", "2", "1")]

    assert copies == ["1", "2", "1"]


def test_model_that_somebody_else_makes_at_the_same_time_is_no_error(server, model):
    registry, to = registry_at(server), f"{model}-prod"
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        copies = list(pool.map(lambda number: registry.copy(model, "1", to, {"decision": str(number)}), range(8)))

    assert sorted(copies, key=int) == [str(number) for number in range(1, 9)]


# What is lost on the way.


@pytest.mark.parametrize("how", FAULTS)
def test_disturbed_write_is_sent_once_and_its_error_says_what_is_certain(server, proxy, model, how):
    registry_at(server).point(model, "champion", "1")
    registry = registry_at(server, proxy.uri, timeout_s=4)
    proxy.fail(1, how)
    with pytest.raises(BrokenRunError, match=r"did not answer for model .* version '2' \(alias 'champion'\)") as caught:
        registry.point(model, "champion", "2")

    certain = "It was not carried out." if how == "refused" else "It may have been carried out."
    assert str(caught.value).endswith(certain)
    assert len(proxy.requests) == (0 if how == "refused" else 1)
    assert registry_at(server).version_of(model, "champion") == ("2" if how in CARRIED_OUT else "1")


@pytest.mark.parametrize("how", sorted({*FAULTS} - {"refused", "slow"}))
def test_read_that_was_disturbed_is_sent_again(server, proxy, model, how):
    registry_at(server).point(model, "champion", "1")
    proxy.fail(1, how)

    assert registry_at(server, proxy.uri).version_of(model, "champion") == "1"
    assert len(proxy.requests) == 2


def test_read_is_sent_again_as_often_as_the_access_says(server, proxy):
    proxy.fail(1, "500_before", times=9)
    with pytest.raises(BrokenRunError, match="HTTP 500"):
        registry_at(server, proxy.uri, max_retries=1).versions("churn")

    assert len(proxy.requests) == 2


def test_write_to_a_server_that_nobody_reaches_is_tried_again_until_somebody_does(server, proxy, model):
    proxy.fail(1, "refused")
    back = threading.Timer(0.8, proxy.heal)
    back.start()
    registry_at(server, proxy.uri).point(model, "champion", "2")
    back.join()

    assert registry_at(server).version_of(model, "champion") == "2"
    assert [method for method, _ in proxy.requests] == ["POST"]


def test_server_that_asks_for_patience_is_asked_again_also_for_a_write():
    answers = [answer(429, b"later"), answer(200, b"{}")]
    with talking(lambda connection: connection.sendall(answers.pop(0))) as port:
        MlflowRegistry(f"http://127.0.0.1:{port}").point("churn", "champion", "1")

    assert answers == []


def test_several_tags_are_written_up_to_the_one_that_is_named(server, proxy, model):
    proxy.fail(2, "refused")
    with pytest.raises(BrokenRunError, match=r"\(tag 'b'\).* It was not carried out\.$"):
        registry_at(server, proxy.uri, max_retries=0).tag(model, "1", {"a": "1", "b": "2", "c": "3"})

    assert registry_at(server).tags(model, "1") == {"a": "1"}


def answer(status, content, more=b""):
    head = b"HTTP/1.1 %d X\r\nConnection: close\r\nContent-Length: %d\r\n" % (status, len(content))
    return head + more + b"\r\n" + content


@contextmanager
def talking(talk):
    """A server that reads a request, and then does with the connection what *talk* does."""
    connections = []

    def serve():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connections.append(connection)
            connection.recv(65536)
            threading.Thread(target=talk_to, args=(connection,), daemon=True).start()

    def talk_to(connection):
        try:
            talk(connection)
        except OSError:
            return

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            for connection in connections:
                connection.close()


def trickle(connection):
    for byte in answer(200, b"{}"):
        connection.sendall(bytes([byte]))
        time.sleep(1)


@contextmanager
def dropping():
    """An address whose packets are lost, once its queue is full."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(listener.getsockname())
        try:
            yield listener.getsockname()[1]
        finally:
            for one in waiting:
                one.close()


def test_server_that_does_not_answer_is_an_error_within_15_seconds():
    def ask(port):
        start_s = time.monotonic()
        with pytest.raises(BrokenRunError) as caught:
            MlflowRegistry(f"http://user:s3cret@127.0.0.1:{port}").point("churn", "champion", "1")
        return str(caught.value), time.monotonic() - start_s

    with talking(lambda _: None) as silent, talking(trickle) as slow, dropping() as lost, socket.socket() as down:
        down.bind(("127.0.0.1", 0))  # bound, and not listening: refused
        ports = {"silent": silent, "slow": slow, "lost": lost, "down": down.getsockname()[1]}
        with concurrent.futures.ThreadPoolExecutor(len(ports)) as pool:
            errors = dict(zip(ports, pool.map(ask, ports.values()), strict=True))

    for name, (text, took_s) in errors.items():
        assert took_s < 15, name
        assert f"MLflow at http://127.0.0.1:{ports[name]} did not answer for model 'churn' version '1'" in text
        assert "s3cret" not in text
    sure = {name: text.endswith("It was not carried out.") for name, (text, _) in errors.items()}
    assert sure == {"silent": False, "slow": False, "lost": True, "down": True}


@pytest.mark.parametrize(
    "said, means",
    [
        (answer(200, b"<html>log in</html>"), "is no MLflow, check the connection's host: HTTP 200 <html>log in"),
        (answer(404, b'{"detail": "Not Found"}'), "is no MLflow"),
        (answer(302, b"", b"Location: https://sso.example/\r\n"), "is no MLflow.*HTTP 302 https://sso.example/"),
        (answer(401, b"who?"), "does not know who asks for model 'churn', check the connection's login"),
        (answer(401, b'{"error_code": "UNAUTHENTICATED", "message": "no"}'), "does not know who asks for model"),
        (answer(403, b"no"), "does not let this user at model 'churn', check the connection's credentials: no"),
        (answer(403, b'{"error_code": "PERMISSION_DENIED", "message": "no"}'), "does not let this user at model"),
        (
            answer(403, b"Invalid Host header - possible DNS rebinding"),
            "does not want .* start it with this host in --allowed-hosts",
        ),
    ],
)
def test_answer_that_another_try_would_not_change_says_what_to_set(said, means):
    with (
        talking(lambda connection: connection.sendall(said)) as port,
        pytest.raises(ConfigurationError, match=rf"^MLflow at http://127.0.0.1:{port} {means}"),
    ):
        MlflowRegistry(f"http://127.0.0.1:{port}").version_of("churn", "champion")


# Who asks.


def test_user_who_may_only_read_reads_and_is_told_what_is_not_allowed(server):
    registry = registry_at(server, username=READER, password=READERS_PASSWORD)

    assert registry.versions("churn") == ["2", "1"]
    assert registry.digest("churn", "1").startswith("sha256:")
    with pytest.raises(ConfigurationError, match=r"does not let this user at model 'churn' version '1' \(tag 'a'\)"):
        registry.tag("churn", "1", {"a": "b"})


def test_user_in_the_uri_gets_in_and_is_not_shown(server):
    registry = MlflowRegistry(f"http://{server.user}:{server.password}@127.0.0.1:{server.port}")

    assert registry.versions("churn") == ["2", "1"]
    assert registry.tracking_uri == server.uri


def test_threads_with_different_users_are_never_taken_for_each_other(server, model, monkeypatch):
    for name in ("USERNAME", "PASSWORD", "TOKEN"):
        monkeypatch.delenv(f"MLFLOW_TRACKING_{name}", raising=False)
    admin = registry_at(server)
    others = [registry_at(server, username=READER, password=READERS_PASSWORD), MlflowRegistry(server.uri)]
    done, refused = threading.Event(), dict.fromkeys(others, 0)

    def ask(other):
        while not done.is_set():
            with pytest.raises(ConfigurationError, match=r"does not let this user|does not know who"):
                other.tag(model, "1", {"a": "b"})
            refused[other] += 1

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        asking = [pool.submit(ask, other) for other in others]
        try:
            for number in range(10):
                admin.digest(model, "1")  # for which the credentials are in the environment
                admin.tag(model, "2", {"n": str(number)})
        finally:
            done.set()
        for one in asking:
            one.result()

    assert min(refused.values()) > 5
    assert not any(name.startswith("MLFLOW_TRACKING_") for name in os.environ)


def test_registry_without_credentials_that_is_made_during_anothers_download_does_not_get_them(server, monkeypatch):
    for name in ("USERNAME", "PASSWORD", "TOKEN"):
        monkeypatch.delenv(f"MLFLOW_TRACKING_{name}", raising=False)
    access = registry_at(server)._access
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        with access.in_force(server.uri):
            assert os.environ["MLFLOW_TRACKING_PASSWORD"] == server.password
            made = pool.submit(MlflowRegistry, server.uri)
            time.sleep(0.1)
        stranger = made.result()

    with pytest.raises(ConfigurationError, match="does not know who asks"):
        stranger.versions("churn")


@pytest.fixture
def heard():
    """A server that finds nothing, and whom it heard asking."""
    heard = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            heard.append(self.headers.get("Authorization"))
            self.wfile.write(answer(200, b"{}"))

        def log_message(self, *args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        yield SimpleNamespace(uri=f"http://127.0.0.1:{http.server_port}", http=http, asked=heard)
        http.shutdown()
        thread.join()


@pytest.mark.parametrize(
    "access, asks",
    [
        ({"token": "t0ken"}, "Bearer t0ken"),
        (
            {"username": "ada", "password": "pä:ss", "token": "t0ken"},
            f"Basic {base64.b64encode('ada:pä:ss'.encode()).decode()}",
        ),
        ({}, None),
    ],
)
def test_credentials_are_those_of_the_connection(heard, monkeypatch, access, asks):
    for name in ("USERNAME", "PASSWORD", "TOKEN"):
        monkeypatch.delenv(f"MLFLOW_TRACKING_{name}", raising=False)
    MlflowRegistry(heard.uri, MlflowAccess(**access)).versions("churn")

    assert heard.asked == [asks]


def test_netrc_file_does_not_speak_for_a_connection(heard, tmp_path, monkeypatch):
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login somebody password else")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    MlflowRegistry(heard.uri, MlflowAccess(token="t0ken")).versions("churn")

    assert heard.asked == ["Bearer t0ken"]


# TLS.


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate that 127.0.0.1 has signed for itself, and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    today = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(today - timedelta(days=1))
        .not_valid_after(today + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(made.public_bytes(Encoding.PEM) + private)
    return str(path)


@pytest.fixture
def secure(heard, certificate):
    """The server behind TLS; with a `client_cert`, it wants to see one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.load_verify_locations(certificate)
    heard.http.socket = context.wrap_socket(heard.http.socket, server_side=True)
    heard.http.handle_error = lambda *_: None
    return SimpleNamespace(uri=heard.uri.replace("http", "https"), asked=heard.asked, context=context)


def test_certificate_is_verified_by_those_that_are_trusted(secure, certificate):
    assert MlflowRegistry(secure.uri, MlflowAccess(verify=certificate)).versions("churn") == []

    with pytest.raises(BrokenRunError, match=r"CERTIFICATE_VERIFY_FAILED.* It was not carried out\.$"):
        MlflowRegistry(secure.uri, MlflowAccess(max_retries=0)).point("churn", "champion", "1")


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_certificate_is_not_verified_where_somebody_says_so(secure, monkeypatch):
    assert MlflowRegistry(secure.uri, MlflowAccess(verify=False)).versions("churn") == []

    monkeypatch.setenv("MLFLOW_TRACKING_INSECURE_TLS", "true")
    assert MlflowRegistry(secure.uri).versions("churn") == []
    with pytest.raises(BrokenRunError, match="CERTIFICATE_VERIFY_FAILED"):
        MlflowRegistry(secure.uri, MlflowAccess(verify=True, max_retries=0)).versions("churn")


def test_certificate_is_shown_to_a_server_that_wants_one(secure, certificate):
    secure.context.verify_mode = ssl.CERT_REQUIRED
    shown = MlflowAccess(verify=certificate, client_cert=certificate)

    assert MlflowRegistry(secure.uri, shown).versions("churn") == []
    with pytest.raises(BrokenRunError):
        MlflowRegistry(secure.uri, MlflowAccess(verify=certificate, max_retries=0)).versions("churn")


# What nobody may see.


def test_secrets_are_in_no_log_no_error_and_no_repr(server, proxy, model, caplog):
    caplog.set_level(logging.DEBUG)
    token, told = "t0ken-of-the-test", []
    basic = registry_at(server, proxy.uri, timeout_s=1, max_retries=0)
    wrong = registry_at(server, password="wr0ng-password")
    echo = answer(500, f"what is Bearer {token}?".encode())

    def ask(registry):
        for call in (lambda: registry.versions(model), lambda: registry.tag(model, "1", {"a": "b"})):
            try:
                call()
            except Exception as error:  # noqa: BLE001  whatever it is
                told.append(str(error) + repr(error) + "".join(traceback.format_exception(error)))

    for how in FAULTS:
        for at in (1, 2):
            proxy.fail(at, how)
            ask(basic)
    proxy.heal()
    ask(wrong)
    ask(MlflowRegistry(f"http://{server.user}:{server.password}@127.0.0.1:9"))
    with talking(lambda connection: connection.sendall(echo)) as port:
        registry = MlflowRegistry(f"http://127.0.0.1:{port}", MlflowAccess(token=token, max_retries=0))
        ask(registry)
        told.append(repr(registry) + repr(vars(registry)))
    basic.digest(model, "1")
    told += [repr(basic), repr(vars(basic)), caplog.text]

    assert len(told) > 14
    assert "model-versions/set-tag" in caplog.text
    for secret in (server.password, "wr0ng-password", token):
        for form in (secret, base64.b64encode(f"{server.user}:{secret}".encode()).decode()):
            assert not [text for text in told if form in text], form


def test_secrets_that_a_server_tells_are_not_told_on():
    access = MlflowAccess(password="s3cret", token="t0ken")

    assert access.without_secrets("t0ken, http://me:other@host/x@y") == "***, http://host/x@y"
