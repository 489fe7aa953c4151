"""A report of a store that is being filled, on a page that refreshes itself. Only this machine can read it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import FrameType
from urllib.parse import urlsplit

from ib_bench.errors import BenchError, InvalidOptionError

HOST = "127.0.0.1"
MAX_PORT = 65535

_NAMES = (HOST, "localhost")
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_PAGES = ("/", "/report.html")
_TEXT = "text/plain; charset=utf-8"
_RETRY_S = 5  # until a browser asks again for a page that could not be made


class ReportServer(ThreadingHTTPServer):
    """Serves a page, made again where what it shows has changed, and its version.

    Args:
        port: in 0..65535; 0 takes a free one.
        version: returns what changes whenever the page would.
        page: makes the page of a version.

    Raises:
        InvalidOptionError: the port is out of range, or cannot be had.
    """

    daemon_threads = True  # Ctrl-C waits for no browser

    def __init__(self, port: int, version: Callable[[], str], page: Callable[[str], str]) -> None:
        if not 0 <= port <= MAX_PORT:
            raise InvalidOptionError("port", port, f"an integer in 0..{MAX_PORT}")
        self._version = version
        self._make = page
        self._made: tuple[str, str] | None = None
        self._making = threading.Lock()
        try:
            super().__init__((HOST, port), _Handler)
        except OSError as error:
            raise InvalidOptionError("port", port, f"a port that is free ({error.strerror})") from error

    @property
    def address(self) -> str:
        """Where a browser finds it."""
        return f"http://{HOST}:{self.server_address[1]}/"

    def serve_until_stopped(self) -> None:
        """Serve until Ctrl-C or SIGTERM, either of which is how it is meant to end; in the main thread."""

        def stop(number: int, frame: FrameType | None) -> None:
            threading.Thread(target=self.shutdown).start()  # which waits for the loop that this interrupts

        handled = [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
        previous = {number: signal.signal(number, stop) for number in handled}
        try:
            self.serve_forever(poll_interval=0.2)
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    def version(self) -> str:
        """Of what the page would show now."""
        return self._version()

    def page(self) -> str:
        """The page of the newest version, made at most once."""
        with self._making:
            version = self._version()
            if self._made is None or self._made[0] != version:
                self._made = version, self._make(version)
            return self._made[1]


class _Handler(BaseHTTPRequestHandler):
    server: ReportServer

    def do_GET(self) -> None:
        """Answer with the page or its version; other machines' names are refused, as a page elsewhere may use them."""
        path = urlsplit(self.path).path
        if (self.headers.get("Host") or "").partition(":")[0] not in _NAMES:
            self._send(HTTPStatus.FORBIDDEN, _TEXT, "only this machine is served")
        elif path == "/version":
            self._send(HTTPStatus.OK, _TEXT, self.server.version())
        elif path in _PAGES:
            self._send_page()
        else:
            self._send(HTTPStatus.NOT_FOUND, _TEXT, "there is no such page")

    def _send_page(self) -> None:
        try:
            page = self.server.page()
        except BenchError as error:  # for example a store that is damaged right now
            self._send(HTTPStatus.INTERNAL_SERVER_ERROR, _TEXT, str(error), Refresh=str(_RETRY_S))
        else:
            self._send(HTTPStatus.OK, "text/html; charset=utf-8", page)

    def _send(self, status: HTTPStatus, kind: str, text: str, **headers: str) -> None:
        content = text.encode()
        self.send_response(status)
        own = {"Content-Type": kind, "Content-Length": str(len(content)), "Cache-Control": "no-store"}
        for name, value in {**own, **headers}.items():
            self.send_header(name, value)
        try:
            self.end_headers()
            self.wfile.write(content)
        except ConnectionError:  # the browser has turned to something else
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the page asks every few seconds."""
