"""An HTTP server of a test's own: it remembers what it was asked, and answers as it is told."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace


class Listener:
    """
    What was asked, and what is answered.

    Args:
        url: Where it is.
    """

    def __init__(self, url):
        self.url = url
        self.asked, self._next, self._always = [], [], (201, {}, {})

    def answer(self, status, body="{}", **headers):
        """Answer so from now on; what `answer_next` says comes before."""
        self._always = (status, body, headers)

    def answer_next(self, *statuses, body="{}", **headers):
        """Answer the next requests so, each once."""
        self._next += [(status, body, headers) for status in statuses]

    def take(self, method, path, headers, body):
        self.asked.append(SimpleNamespace(method=method, path=path, headers=headers, body=body))
        return self._next.pop(0) if self._next else self._always


@contextmanager
def listening():
    """Give a listener on a free port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def handle_any(self):
            text = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = json.loads(text) if text else None
            status, answer, more = listener.take(self.command, self.path, headers, body)
            data = (answer if isinstance(answer, str) else json.dumps(answer)).encode()
            self.send_response(status)
            for name, value in {"content-length": len(data), **more}.items():
                self.send_header(name.replace("_", "-"), str(value))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PATCH = handle_any  # noqa: N815  the library's names

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listener = Listener(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield listener
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
