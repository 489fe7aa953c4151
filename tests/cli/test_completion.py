"""Tab completion."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from pathlib import Path

import pytest

from ib_bench.cli import completion, main


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_bash_completes_commands_and_options(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("shtab")
    assert main(["completion", "bash"]) == 0
    (tmp_path / "script").write_text(capsys.readouterr().out)
    words = {"se": "search", "search --search.lear": "--search.learning_rates", "store ch": "check", "ru": "run"}
    lines = ["source ./script", 'complete=$(complete -p ib-bench | sed "s/.*-F \\([^ ]*\\).*/\\1/")']
    for line in words:
        given = ["ib-bench", *line.split()]
        lines += [f"COMP_WORDS=({' '.join(given)}); COMP_CWORD={len(given) - 1}; COMPREPLY=()"]
        lines += [f'$complete ib-bench {given[-1]}; echo "${{COMPREPLY[@]}}"']
    ended = subprocess.run(["bash", "-c", "\n".join(lines)], cwd=tmp_path, capture_output=True, text=True, check=True)
    completed = [line.split() for line in ended.stdout.splitlines()]
    assert all(word in found for word, found in zip(words.values(), completed, strict=True)), completed


def test_without_shtab_it_is_said_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(completion, "find_spec", lambda name: None if name == "shtab" else found(name))
    assert main(["completion", "zsh"]) == 2
    assert capsys.readouterr().err.endswith("pip install 'ib_bench[completion]'\n")
