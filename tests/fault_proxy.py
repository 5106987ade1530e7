"""Between a client and a server: a proxy that loses, delays and refuses requests as it is told."""

import http.client
import socket
import struct
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler

FAULTS = ("refused", "reset_before", "reset_after", "slow", "500_before", "500_after")
# Those after which the server has done what it was asked.
CARRIED_OUT = ("reset_after", "slow", "500_after")


class FaultProxy:
    """
    An HTTP proxy in front of a server on 127.0.0.1; each connection carries one request.

    Args:
        port: The server's.

    Attributes:
        port: Its own.
        requests: What has arrived since the last `fail` or `heal`, as (method, path without query).
    """

    def __init__(self, port):
        self._target, self.port = port, 0
        self._lock, self._healed = threading.RLock(), threading.Event()
        self._threads = []
        self._listener = None
        self.heal()

    @property
    def uri(self):
        return f"http://127.0.0.1:{self.port}"

    def fail(self, at, how, *, times=1):
        """
        Disturb some of the requests to come.

        Args:
            at: The first of them, counted from 1.
            how: One of `FAULTS`. `refused` lasts until `heal`: nobody listens.
            times: How many, one after the other.
        """
        assert how in FAULTS, how
        self.heal()
        with self._lock:
            self._at, self._how, self._times = at, how, times
            if how == "refused" and at == 1:
                self._shut()

    def heal(self):
        """Forward everything from now on, and count anew."""
        with self._lock:
            self._at, self._how, self._times = 0, "", 0
            self.requests = []
            self._healed.set()  # who is slow may answer
            self._healed = threading.Event()
            if self._listener is None:
                self._listen()

    def close(self):
        with self._lock:
            self._healed.set()
            self._shut()
            threads = list(self._threads)
        for thread in threads:
            thread.join(10)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _listen(self):
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen(64)
        self.port = listener.getsockname()[1]
        self._listener = listener
        self._start(self._accept, listener)

    def _shut(self):
        if self._listener is not None:
            self._listener.shutdown(socket.SHUT_RDWR)  # else whoever waits in accept goes on doing so
            self._listener.close()
            self._listener = None

    def _start(self, target, *args):
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads = [one for one in self._threads if one.is_alive()] + [thread]
        thread.start()

    def _accept(self, listener):
        while True:
            try:
                connection, address = listener.accept()
            except OSError:
                return
            with self._lock:
                self._start(self._serve, connection, address)

    def _serve(self, connection, address):
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            def handle_any(self):
                proxy._answer(self)

            def __getattr__(self, name):
                if name.startswith("do_"):
                    return self.handle_any
                raise AttributeError(name)

            def log_message(self, *_):
                pass

        with connection, suppress(OSError):  # the client may have gone
            Handler(connection, address, None)

    def _answer(self, request):
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        with self._lock:
            self.requests.append((request.command, request.path.partition("?")[0]))
            number, how = len(self.requests), self._how
            failing = self._at <= number < self._at + self._times
            if how == "refused" and number == self._at - 1:
                self._shut()
            healed = self._healed
        if not failing or how == "refused":
            self._give(request, *self._forwarded(request, body))
        elif how == "reset_before":
            _reset(request)
        elif how == "500_before":
            self._give(request, 500, [], b"disturbed")
        else:
            answer = self._forwarded(request, body)
            if how == "reset_after":
                _reset(request)
            elif how == "500_after":
                self._give(request, 500, [], b"disturbed")
            else:
                healed.wait(60)
                self._give(request, *answer)

    def _forwarded(self, request, body):
        connection = http.client.HTTPConnection("127.0.0.1", self._target, timeout=60)
        try:
            headers = {key: value for key, value in request.headers.items() if key.lower() != "connection"}
            connection.request(request.command, request.path, body=body or None, headers=headers)
            answer = connection.getresponse()
            kept = [one for one in answer.getheaders() if one[0].lower() in ("content-type", "location")]
            return answer.status, kept, answer.read()
        finally:
            connection.close()

    @staticmethod
    def _give(request, status, headers, content):
        request.close_connection = True
        request.send_response(status)
        for key, value in [*headers, ("Content-Length", str(len(content))), ("Connection", "close")]:
            request.send_header(key, value)
        request.end_headers()
        request.wfile.write(content)


def _reset(request):
    """Close it so that the other side is told of a reset, as when a machine on the way is gone."""
    request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    request.close_connection = True
