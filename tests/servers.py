"""Scoring servers of users' own: scripts that need the standard library alone, and start at once."""

BASE = """
import json, os, signal, subprocess, sys, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_): pass
    def do_GET(self): self.say(200 if self.path == "/up" else 404, "{}")
    def do_POST(self):
        text = self.rfile.read(int(self.headers["content-length"]))
        try:
            assert self.headers["content-type"] == "application/json"
            rows = json.loads(text)["dataframe_split"]
            self.say(200, json.dumps({"predictions": self.answer(rows)}))
        except Exception as error:
            self.say(400, repr(error))
    def say(self, status, text):
        self.send_response(status)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())
    def answer(self, rows):
        x = rows["columns"].index("x")
        return [row[x] * 2 for row in rows["data"]]

server = ThreadingHTTPServer((sys.argv[1], int(sys.argv[2])), Handler)
server.daemon_threads = False
"""
# Ends in order: whatever is under way is answered first.
ORDERLY = (
    BASE
    + """
import threading
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
server.serve_forever()
server.server_close()
"""
)
DEAF = (
    BASE
    + """
signal.signal(signal.SIGTERM, signal.SIG_IGN)
server.serve_forever()
"""
)
# SIGTERM ends it where it stands, and what it has started stays.
CARELESS = (
    BASE
    + """
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000047)"], start_new_session=True)
server.serve_forever()
"""
)
ANGRY = (
    BASE
    + """
signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
server.serve_forever()
"""
)


def command_of(python, folder, script):
    """Write *script*, and give the command that starts it."""
    path = folder / "serve.py"
    path.write_text(script)
    return (python, str(path), "{host}", "{port}")
