"""The report of a store that is being filled: loopback alone, made again after a change, ended by Ctrl-C."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from made_up_records import ACOT, Point, search

from ib_bench.cli import main
from ib_bench.errors import BenchError, InvalidOptionError
from ib_bench.report.server import HOST, ReportServer
from ib_bench.results.store import Store


class Source:
    """Stands in for a store."""

    def __init__(self) -> None:
        self.version = "1"
        self.num_made = 0

    def page(self, version: str) -> str:
        self.num_made += 1
        if version == "damaged":
            raise BenchError("the store is damaged")
        return f"page {version}"


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def server(source: Source) -> Iterator[ReportServer]:
    with ReportServer(0, lambda: source.version, source.page) as started:
        thread = threading.Thread(target=started.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield started
        started.shutdown()
        thread.join()


def get(address: str, **headers: str) -> tuple[int, str]:
    try:
        without_proxy = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with without_proxy.open(urllib.request.Request(address, headers=headers), timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_a_page_is_made_again_only_for_a_new_version(server: ReportServer, source: Source) -> None:
    assert [get(f"{server.address}?model=LSTM"), get(f"{server.address}report.html")] == [(200, "page 1")] * 2
    assert source.num_made == 1
    source.version = "2"
    assert get(f"{server.address}version") == (200, "2")
    assert get(server.address) == (200, "page 2") and source.num_made == 2


def test_only_this_machine_is_served(server: ReportServer) -> None:
    assert server.server_address[0] == HOST == "127.0.0.1"
    port = server.server_address[1]
    assert get(server.address, Host=f"localhost:{port}")[0] == 200
    assert get(server.address, Host=f"elsewhere.example:{port}")[0] == 403  # a page elsewhere under a name of its own


def test_nothing_else_is_served(server: ReportServer) -> None:
    assert [get(f"{server.address}{path}")[0] for path in ("configs/x.yaml", "../etc/passwd")] == [404, 404]


def test_what_is_wrong_now_is_said_and_asked_again(server: ReportServer, source: Source) -> None:
    source.version = "damaged"
    assert get(server.address) == (500, "the store is damaged")
    source.version = "3"
    assert get(server.address) == (200, "page 3")


def test_ports_that_cannot_be_had(server: ReportServer) -> None:
    for port, allowed in ((-1, "an integer in 0..65535"), (server.server_address[1], "a port that is free")):
        with pytest.raises(InvalidOptionError, match=f"port must be {allowed}"):
            ReportServer(port, str, str)


@pytest.mark.parametrize(
    ("arguments", "option"),
    [(["--port", "8000"], "port"), (["--serve", "--out", "x"], "out"), (["--serve", "--port", "-1"], "port")],
)
def test_options_that_do_not_go_together(
    arguments: list[str],
    option: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["report", *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"ib-bench report: error: {option} must be ") and error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.system
def test_a_store_that_is_filled_meanwhile_and_ctrl_c(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ib_bench", "report", "--serve", "--port", "0"]
    process = subprocess.Popen(
        command,
        cwd=tmp_path,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "COLUMNS": "200"},
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        address = re.search(r"http://127\.0\.0\.1:\d+/", line)
        assert address is not None, line
        assert "There are no results yet" in get(address[0])[1]
        before = get(f"{address[0]}version")[1]
        with Store(tmp_path / "ib_bench.sqlite") as store:
            store.add_all([search(Point("LSTM", ACOT), 128)])
        assert get(f"{address[0]}version")[1] != before
        page = get(address[0])[1]
        assert "What was measured: LSTM" in page and 'data-version="' in page
        settled = get(f"{address[0]}version")[1]
        get(address[0])
        assert get(f"{address[0]}version")[1] == settled  # reading the store changes nothing
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=20)
        assert (process.returncode, stderr) == (0, "") and "no longer served" in stdout
        assert [path.name for path in tmp_path.iterdir() if "sqlite" not in path.name] == []
    finally:
        process.kill()
        process.communicate()
