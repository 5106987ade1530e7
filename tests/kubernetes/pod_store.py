"""The pods of a cluster, as its API server keeps them: each change has a number, and can be watched."""

import copy
import re
import time
import uuid
from datetime import UTC, datetime
from threading import Condition

# `a,b` are two demands, `a in (b,c)` is one.
_BETWEEN = re.compile(r",(?![^(]*\))")


class Refused(Exception):  # noqa: N818  the API's word
    """
    What the API server answers instead.

    Args:
        code: HTTP's.
        reason: Kubernetes' word for it.
        message: In words.
    """

    def __init__(self, code, reason, message):
        super().__init__(message)
        self.code, self.reason = code, reason


class PodStore:
    """
    All pods, as JSON.

    Args:
        refusals: Names what is wrong with one that is to be created.
    """

    def __init__(self, refusals):
        self._refusals = refusals
        self._pods, self._changes, self.ever = {}, [], {}
        self.changed = Condition()

    @property
    def version(self):
        """Give the number of the last change."""
        return 1 + len(self._changes)

    def create(self, namespace, pod):
        wrong = self._refusals(pod)
        if wrong:
            raise Refused(422, "Invalid", f"Pod is invalid: {'; '.join(wrong)}")
        name = pod["metadata"]["name"]
        own = {"namespace": namespace, "uid": str(uuid.uuid4()), "creationTimestamp": now()}
        pod = {**pod, "apiVersion": "v1", "kind": "Pod", "status": {"phase": "Pending"}}
        pod["metadata"] = {**pod["metadata"], **own}
        with self.changed:
            if name in self._pods:
                raise Refused(409, "AlreadyExists", f'pods "{name}" already exists')
            return self._change(name, None, pod)

    def get(self, name):
        with self.changed:
            if name not in self._pods:
                raise Refused(404, "NotFound", f'pods "{name}" not found')
            return copy.deepcopy(self._pods[name])

    def select(self, demands):
        """Give those that meet all demands, as `selection` reads them."""
        with self.changed:
            return [copy.deepcopy(pod) for pod in self._pods.values() if selected(pod, demands)]

    def merge(self, name, change):
        """Change what a patch names; None takes it away."""
        with self.changed:
            pod = self.get(name)
            return self._change(name, self._pods[name], _merged(pod, change))

    def remove(self, name):
        with self.changed:
            pod = self.get(name)
            del self._pods[name]
            self._tell("DELETED", pod, pod)

    def watch(self, demands, since, until_s):
        """
        Give each change since a version, as it comes.

        A pod that ceases to be selected is deleted for whoever watches, though it is still there.

        Args:
            demands: As for `select`.
            since: A version; 0: begin with all that are there.
            until_s: When to end, monotonic seconds.
        """
        with self.changed:
            known = [] if since else [("ADDED", None, pod) for pod in self.select(demands)]
            seen = since or self.version
        while True:
            yield from (event for change in known if (event := _event(*change, demands)))
            with self.changed:
                while self.version <= seen and self.changed.wait(max(0.0, until_s - time.monotonic())):
                    pass
                known, seen = self._changes[seen - 1 :], self.version
            if not known:
                return

    def _change(self, name, before, after):
        self._pods[name] = after
        self._tell("CHANGED", before, after)
        self.ever[name] = copy.deepcopy(after)
        return copy.deepcopy(after)

    def _tell(self, kind, before, after):
        after["metadata"]["resourceVersion"] = str(self.version + 1)
        self._changes.append((kind, copy.deepcopy(before), copy.deepcopy(after)))
        self.changed.notify_all()


def now():
    """Give the time as Kubernetes writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def selection(labels, fields):
    """Read a label selector and a field selector."""
    return [("labels", one) for one in _split(labels)] + [("fields", one) for one in _split(fields)]


def selected(pod, demands):
    """Tell whether a pod meets all demands."""
    return all(_meets(pod, kind, text) for kind, text in demands)


def _event(kind, before, after, demands):
    """Say what a change is to whoever watches the selected pods; None: nothing."""
    was, is_now = (pod is not None and selected(pod, demands) for pod in (before, after))
    if is_now and kind != "DELETED":
        return {"type": "MODIFIED" if was else "ADDED", "object": after}
    return {"type": "DELETED", "object": after} if was else None


def _split(text):
    return [one.strip() for one in _BETWEEN.split(text or "") if one.strip()]


def _meets(pod, kind, text):
    among = re.fullmatch(r"(\S+)\s+(in|notin)\s+\((.*)\)", text)
    if among:
        values = [one.strip() for one in among[3].split(",")]
        return (_value(pod, kind, among[1]) in values) == (among[2] == "in")
    name, operator, wanted = re.fullmatch(r"([^=!]+)(!=|==|=|)(.*)", text.lstrip("!")).groups()
    value = _value(pod, kind, name.strip())
    if not operator:
        return (value is None) == text.startswith("!")
    return (value == wanted.strip()) == (operator != "!=")


def _value(pod, kind, name):
    if kind == "labels":
        return pod["metadata"].get("labels", {}).get(name)
    for part in name.split("."):
        pod = pod.get(part) or {}
    return pod or None


def _merged(old, change):
    for name, value in change.items():
        if value is None:
            old.pop(name, None)
        elif isinstance(value, dict) and isinstance(old.get(name), dict):
            _merged(old[name], value)
        else:
            old[name] = value
    return old
