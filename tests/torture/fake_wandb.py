"""A server that is enough of W&B for a run to be opened, until it goes dead: then it accepts, and never answers."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class FakeWandb:
    """Listens on this machine.

    Args:
        is_dead: from the start.

    Attributes:
        num_runs: that have been opened here.
    """

    def __init__(self, is_dead: bool) -> None:
        self.num_runs = 0
        self._dead = threading.Event()
        if is_dead:
            self._dead.set()
        self._closed = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def is_dead(self) -> bool:
        """Whether it answers no longer."""
        return self._dead.is_set()

    @property
    def environment(self) -> dict[str, str]:
        """For a command that is to log here."""
        url = f"http://127.0.0.1:{self._server.server_address[1]}"
        return {"WANDB_BASE_URL": url, "WANDB_API_KEY": "0" * 40, "WANDB_MODE": "online"}

    def die(self) -> None:
        """Answer nothing from now on."""
        self._dead.set()

    def close(self) -> None:
        """Let go of all connections."""
        self._closed.set()
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if fake.is_dead:
                    fake._closed.wait()
                    return
                body = json.dumps(answer(content)).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
                fake.num_runs += b"upsertBucket" in content

            do_GET = do_POST

            def log_message(self, *_: Any) -> None:
                pass

        return Handler


def answer(content: bytes) -> Any:
    """To a request."""
    try:
        request = json.loads(content)
    except ValueError:
        return {}
    query, variables = request.get("query", ""), request.get("variables") or {}
    if "upsertBucket" in query:
        project = {"name": "ib_bench", "entity": {"name": "nobody"}}
        bucket = {"id": "1", "name": variables.get("name"), "displayName": "run", "project": project}
        return {"data": {"upsertBucket": {"bucket": bucket, "inserted": True}}}
    return {"data": {}}
