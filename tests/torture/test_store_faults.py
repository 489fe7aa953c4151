"""Stores that are cut short, changed by a byte, full or read-only: one sentence, and what could be kept is kept.

Trials "before" are those written before the damage, "after" those that could be read after it. Where SQLite finds the
file malformed, these are what its own tool recovers, and none on a machine without that tool.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from damage import sqlite_recovers
from torture import blows
from torture.campaign import Campaign
from torture.contents import Contents, contents
from torture.processes import Command

from ib_bench.results.store import Store

pytestmark = [pytest.mark.system, pytest.mark.torture, pytest.mark.timeout(0)]

PAGE = 4096
INLINE = ("--executor", "inline")


def integers(generator: torch.Generator, low: int, high: int) -> int:
    """One of ``low..high-1``."""
    return int(torch.randint(low, high, (), generator=generator))


@pytest.fixture
def half_done(campaign: Campaign) -> Contents:
    """The campaign's store, of a run that was killed when it had finished some trials; no command has it open."""
    campaign.arguments = INLINE
    command = campaign.start()
    while len(contents(campaign.store).trials) < 12:
        assert command.process.poll() is None, command.err
    blows.kill(command)
    kept = contents(campaign.store)  # closing the store last moves everything into the one file
    shutil.copy(campaign.store, campaign.folder / "half_done.sqlite")
    return kept


def restore(campaign: Campaign) -> None:
    """As :func:`half_done` left it."""
    for suffix in ("-wal", "-shm"):
        Path(f"{campaign.store}{suffix}").unlink(missing_ok=True)
    shutil.copy(campaign.folder / "half_done.sqlite", campaign.store)


def flip(path: Path, position: int, mask: int) -> None:
    """Change some bits of one byte."""
    with path.open("r+b") as file:
        file.seek(position)
        byte = file.read(1)[0]
        file.seek(position)
        file.write(bytes([byte ^ mask]))


def refused(command: Command) -> str:
    """The one sentence with which a command has refused a store."""
    assert command.finish() == 2, command.out + command.err
    (sentence,) = [line for line in command.err.splitlines() if line and not line[0].isdigit()]  # those are progress
    assert sentence.startswith("ib-bench ") and "error: store " in sentence
    return sentence


@pytest.mark.parametrize("damage", ["truncated", "a flipped byte in a page header"])
def test_malformed(
    campaign: Campaign, half_done: Contents, kills: int, generator: torch.Generator, damage: str
) -> None:
    size = campaign.store.stat().st_size
    for _ in range(-(-kills // 20)):
        restore(campaign)
        if damage == "truncated":
            os.truncate(campaign.store, integers(generator, PAGE, size - PAGE))
        else:
            flip(campaign.store, PAGE * integers(generator, 1, size // PAGE), 1 << integers(generator, 0, 8))
        ended = campaign.start()
        if ended.finish() == 0:  # the damaged page held nothing that the run had to read
            campaign.figures.note_fault(half_done, half_done)
            campaign.check_end(ended)
            continue
        refused(ended)
        if damage == "truncated":
            refused(Command(campaign.folder, "results"))
        broken = campaign.folder / "broken.sqlite"
        for suffix in ("-wal", "-shm"):
            Path(f"{campaign.store}{suffix}").unlink(missing_ok=True)
        campaign.store.rename(broken)
        before = broken.read_bytes()
        sentence = refused(Command(campaign.folder, "store", "merge", str(campaign.store), str(broken)))
        assert f"sqlite3 {broken} .recover" in sentence
        assert broken.read_bytes() == before and not campaign.store.exists()
        recovered = campaign.folder / "recovered.sqlite"
        recovered.unlink(missing_ok=True)
        if sqlite_recovers():
            dump = subprocess.run(["sqlite3", broken, ".recover"], capture_output=True, check=False).stdout
            subprocess.run(["sqlite3", recovered], input=dump, capture_output=True, check=True)
            merge = Command(campaign.folder, "store", "merge", str(campaign.store), str(recovered))
            assert merge.finish() == 0, merge.err
        kept = contents(campaign.store)
        assert kept.trials.items() <= half_done.trials.items()
        campaign.figures.times += 1
        campaign.figures.before += len(half_done.trials)
        campaign.figures.after += len(kept.trials)
        campaign.finish()


def test_a_flipped_byte_in_a_record(
    campaign: Campaign, half_done: Contents, kills: int, generator: torch.Generator
) -> None:
    for _ in range(-(-kills // 20)):
        restore(campaign)
        key = list(half_done.trials)[integers(generator, 0, len(half_done.trials))]
        start = campaign.store.read_bytes().index(f'"key": "{key}"'.encode())
        flip(campaign.store, start + integers(generator, 50, 250), 1)
        check = Command(campaign.folder, "store", "check")
        assert check.finish() == 1 and key in check.out + check.err, check.out + check.err
        with pytest.warns(UserWarning, match="left out of store .*: 1 trial, damaged"):
            after = contents(campaign.store)
        assert half_done.trials.keys() - after.trials.keys() == {key}
        campaign.figures.times += 1
        campaign.figures.before += len(half_done.trials)
        campaign.figures.after += len(after.trials)
        run = campaign.start()
        assert run.finish() == 0, run.err
        assert "damaged" in run.err, "the run did not warn of the damaged trial"
        campaign.check_end(run)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of two megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small disk cannot be mounted here, which takes the rights of root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk(campaign: Campaign, kills: int, small_disk: Path, generator: torch.Generator) -> None:
    campaign.arguments = INLINE
    campaign.store = small_disk / "ib_bench.sqlite"
    for _ in range(-(-kills // 20)):
        filler = small_disk / "filler"
        filler.write_bytes(bytes(shutil.disk_usage(small_disk).free - PAGE * integers(generator, 0, 60)))
        run = campaign.start("--store", str(campaign.store))
        exit_code = run.finish()
        assert "Traceback" not in run.out + run.err, run.err
        said = [line for line in (run.out + run.err).splitlines() if "full" in line]
        assert exit_code == 0 or (exit_code in (1, 2) and said), (exit_code, run.out, run.err)
        campaign.figures.processes += run.num_left()
        filler.unlink()
        kept = contents(campaign.store)
        campaign.figures.note_fault(kept, kept)
        resumed = campaign.start("--store", str(campaign.store))
        assert resumed.finish() == 0, resumed.err
        assert kept.num_lost(contents(campaign.store)) == 0
        campaign.check_end(resumed)


def test_a_read_only_store(campaign: Campaign, kills: int, small_disk: Path) -> None:
    campaign.arguments = INLINE
    campaign.store = small_disk / "ib_bench.sqlite"
    with Store(campaign.store):
        pass
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    before = campaign.store.read_bytes()
    assert "--store" in refused(campaign.start("--store", str(campaign.store)))
    assert campaign.store.read_bytes() == before
    campaign.figures.times += 1
