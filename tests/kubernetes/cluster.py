"""
A Kubernetes cluster on loopback: as much of its API as an executor asks for, and nodes that run the pods.

Pods are checked, scheduled and run; nobody restarts them, and there are neither volumes nor services.
"""

import json
import re
import runpy
import threading
import time
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

_HERE = Path(__file__).parent
_ADMISSION = runpy.run_path(str(_HERE / "admission.py"))
_KUBELET = runpy.run_path(str(_HERE / "kubelet.py"))
_STORE = runpy.run_path(str(_HERE / "pod_store.py"))
Node, Container, Refused, now = _KUBELET["Node"], _KUBELET["Container"], _STORE["Refused"], _STORE["now"]
_PODS = re.compile(r"/api/v1/namespaces/(?P<namespace>[^/]+)/pods(?:/(?P<name>[^/]+))?(?P<log>/log)?")
_VERBS = ["create", "delete", "get", "list", "patch", "watch"]
_DISCOVERY = {
    "/version": {"major": "1", "minor": "37", "gitVersion": "v1.37.0"},
    "/api": {"kind": "APIVersions", "versions": ["v1"]},
    "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": []},
    "/api/v1": {
        "kind": "APIResourceList",
        "groupVersion": "v1",
        "resources": [{"name": "pods", "singularName": "pod", "namespaced": True, "kind": "Pod", "verbs": _VERBS}],
    },
}
_OVER = {"Succeeded", "Failed"}


class Cluster:
    """
    Nodes, and the pods on them.

    Args:
        nodes: The machines.
        images: What there is to run: variables that an image brings, by its name.
        folder: Takes what containers print.
    """

    def __init__(self, nodes, images, folder):
        self.nodes, self.images, self.folder = nodes, images, folder
        self.store = _STORE["PodStore"](_ADMISSION["refusals"])
        self._placed, self._containers, self._closed = {}, {}, False

    @property
    def pods(self):
        """Give every pod that there ever was, as it was last, by name."""
        return self.store.ever

    def create(self, namespace, pod):
        pod = self.store.create(namespace, pod)
        threading.Thread(target=self._run, args=(pod,), daemon=True).start()
        return pod

    def delete(self, name):
        pod = self.store.merge(name, {"metadata": {"deletionTimestamp": now()}})
        threading.Thread(target=self._remove, args=(name,), daemon=True).start()
        return pod

    def close(self):
        """End all that runs."""
        with self.store.changed:
            self._closed = True
            self.store.changed.notify_all()
        for container in list(self._containers.values()):
            container.stop()
        deadline_s = time.monotonic() + 20
        while self._containers and time.monotonic() < deadline_s:
            time.sleep(0.05)

    def _run(self, pod):
        name, node = pod["metadata"]["name"], self._place(pod)
        if node is None:
            return
        image = pod["spec"]["containers"][0]["image"]
        if image not in self.images:
            waiting = {"reason": "ErrImagePull", "message": f'Failed to pull image "{image}": not found'}
            self._tell(pod, "Pending", {"waiting": waiting})
            return
        started = {"startedAt": now()}
        self._containers[name] = container = Container(pod, self.images[image], node, self.folder)
        self._tell(pod, "Running", {"running": started})
        code, reason = container.wait()
        del self._containers[name]
        ended = {"terminated": {"exitCode": code, "reason": reason, "finishedAt": now(), **started}}
        self._tell(pod, "Failed" if code else "Succeeded", ended)

    def _place(self, pod):
        """Wait until a node can take it."""
        name = pod["metadata"]["name"]
        with self.store.changed:
            while not self._closed and "deletionTimestamp" not in self.pods[name]["metadata"]:
                refused = [self._refuses(node, pod) for node in self.nodes]
                if "" in refused:
                    node = self._placed[name] = self.nodes[refused.index("")]
                    self.store.merge(name, {"spec": {"nodeName": node.name}})
                    return node
                message = f"0/{len(self.nodes)} nodes are available: {', '.join(refused)}."
                scheduled = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
                if self.pods[name]["status"].get("conditions") != [scheduled]:
                    self.store.merge(name, {"status": {"conditions": [scheduled]}})
                self.store.changed.wait(5)
        return None

    def _refuses(self, node, pod):
        there = [self.pods[name] for name, one in self._placed.items() if one is node]
        live = [one for one in there if one["status"]["phase"] not in _OVER]
        return node.refuses(pod, [_ADMISSION["requests_of"](one) for one in (*live, pod)])

    def _tell(self, pod, phase, state):
        (container,) = pod["spec"]["containers"]
        status = {"name": container["name"], "image": container["image"], "state": state}
        more = {"imageID": "", "ready": "running" in state, "restartCount": 0}
        with suppress(Refused):  # it was deleted meanwhile
            self.store.merge(
                pod["metadata"]["name"], {"status": {"phase": phase, "containerStatuses": [{**status, **more}]}}
            )

    def _remove(self, name):
        if name in self._containers:
            self._containers[name].stop()
        while name in self._containers:
            time.sleep(0.05)
        self.store.remove(name)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    cluster = None

    def log_message(self, *args):
        pass

    def _handle(self):
        where = urlsplit(self.path)
        asked, path = dict(parse_qsl(where.query)), where.path.rstrip("/")
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else {}
        try:
            if path in _DISCOVERY:
                self._send(200, _DISCOVERY[path])
            elif found := _PODS.fullmatch(path):
                self._pods(found, asked, body)
            else:
                raise Refused(404, "NotFound", f"the server could not find the requested resource: {path}")  # noqa: TRY301
        except Refused as error:
            status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": str(error)}
            self._send(error.code, {**status, "reason": error.reason, "code": error.code})
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    do_GET = do_POST = do_PATCH = do_DELETE = _handle  # noqa: N815  the base class's names

    def _pods(self, found, asked, body):
        name, cluster = found["name"], self.cluster
        if self.command == "POST":
            self._send(201, cluster.create(found["namespace"], body))
        elif self.command == "PATCH":
            self._send(200, cluster.store.merge(name, body))
        elif self.command == "DELETE":
            self._send(200, cluster.delete(name))
        elif found["log"]:
            self._send(200, (cluster.folder / f"{name}.log").read_bytes())
        elif name:
            self._send(200, cluster.store.get(name))
        else:
            self._list(asked)

    def _list(self, asked):
        demands = _STORE["selection"](asked.get("labelSelector"), asked.get("fieldSelector"))
        if asked.get("watch", "").lower() in {"true", "1"}:
            self._watch(demands, asked)
            return
        partial = "PartialObjectMetadataList" in self.headers.get("Accept", "")
        version = {"resourceVersion": str(self.cluster.store.version)}
        items = self.cluster.store.select(demands)
        kind, api = ("PartialObjectMetadata", "meta.k8s.io/v1") if partial else ("Pod", "v1")
        items = [{"kind": kind, "apiVersion": api, "metadata": one["metadata"]} for one in items] if partial else items
        self._send(200, {"kind": f"{kind}List", "apiVersion": api, "metadata": version, "items": items})

    def _watch(self, demands, asked):
        until_s = time.monotonic() + float(asked.get("timeoutSeconds") or 1800)
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for event in self.cluster.store.watch(demands, int(asked.get("resourceVersion") or 0), until_s):
            line = json.dumps(event).encode() + b"\n"
            self.wfile.write(b"%x\r\n%b\r\n" % (len(line), line))
        self.wfile.write(b"0\r\n\r\n")

    def _send(self, code, content):
        content, kind = (content, "text/plain") if isinstance(content, bytes) else (json.dumps(content).encode(), "")
        self.send_response(code)
        self.send_header("Content-Type", kind or "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@contextmanager
def running(nodes, images, folder):
    """Start a cluster, give it and the path of its kubeconfig, and end all of it."""
    cluster = Cluster(nodes, images, folder)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"cluster": cluster}))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "local", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}],
        "users": [{"name": "nobody", "user": {}}],
        "contexts": [{"name": "local", "context": {"cluster": "local", "user": "nobody", "namespace": "default"}}],
        "current-context": "local",
    }
    kubeconfig = folder / "kubeconfig.json"
    kubeconfig.write_text(json.dumps(config))
    try:
        yield cluster, kubeconfig
    finally:
        cluster.close()
        server.shutdown()
        server.server_close()
