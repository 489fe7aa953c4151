"""What is shipped, as a list and as cards."""

from __future__ import annotations

import json
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from ib_bench import catalogue
from ib_bench.cli import main
from ib_bench.runner.class_cards import explanation
from ib_bench.runner.docstrings import readable
from ib_bench.scoring.protocol import shipped_protocols
from ib_bench.studies.published import PUBLISHED


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    capsys.readouterr()
    assert main(["ls", *arguments]) == 0
    return capsys.readouterr().out


def card(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(printed(capsys, *arguments, "--json"))
    return found


@pytest.fixture(scope="module")
def listed() -> dict[str, Any]:
    """``ib-bench ls --json``."""
    with redirect_stdout(StringIO()) as output:
        assert main(["ls", "--json"]) == 0
    found: dict[str, Any] = json.loads(output.getvalue())
    return found


def test_everything_that_is_shipped_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys)
    for package in (catalogue.TASKS, catalogue.SUPERVISION, catalogue.LENGTH_DISTRIBUTIONS, catalogue.MODELS):
        for entry in catalogue.entries(package):
            assert entry.name in text or entry.class_name in text
            assert entry.summary
    assert "demo" in text
    assert all(f"  {name}  " in text for name in shipped_protocols())


def test_summaries_of_suites_and_protocols_are_whole_sentences(listed: dict[str, Any]) -> None:
    for row in listed["suites"] + listed["protocols_of_scores"]:
        assert row["summary"].endswith("."), row


def test_json_has_the_cards_of_all_models_and_tasks(listed: dict[str, Any]) -> None:
    for kind, package in (("models", catalogue.MODELS), ("tasks", catalogue.TASKS)):
        assert [one["name"] for one in listed[kind]] == [one.class_name for one in catalogue.entries(package)]
        for one in listed[kind]:
            assert all(argument["description"] for argument in one["arguments"]), one["name"]
            assert "``" not in json.dumps(one) and ":math:" not in json.dumps(one)
    shown = [published for one in listed["models"] for published in one["published"]]
    assert len(shown) == len(PUBLISHED)
    recurrences = {one["name"] for one in listed["models"] if one["recurrence"]}
    assert {"RNN", "GRU", "LSTM", "SLSTM", "MinGRU", "DeltaNet", "Mamba2", "RWKV7", "SLiCE", "PDSSM"} <= recurrences
    assert [one["name"] for one in listed["models"] if one["num_parameters"] is None] == ["MixerModel"]


@pytest.mark.parametrize(
    ("name", "use", "part"),
    [
        ("outcome", "--data.supervision outcome", "Only the final state is asked for"),
        ("uniform", "--data.length_distribution uniform", "Lengths are uniform on 2..max_length"),
        ("curve", "ib-bench curve", "how likely one training run succeeds"),
        ("study", "ib-bench run study", "Written down before it ran"),
        ("score-v1", "ib-bench score MODEL --protocol score-v1", "A published protocol never changes"),
    ],
)
def test_what_is_neither_task_nor_model_is_explained(
    name: str, use: str, part: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).write_text("# a file of the same name\n")
    text = printed(capsys, name)
    assert text.startswith(f"{name} ({use})\n") and part in text and "``" not in text
    assert card(capsys, name)["use"] == use


def test_everything_in_the_list_can_be_described(listed: dict[str, Any]) -> None:
    names = [row["name"] for rows in listed.values() for row in rows if "arguments" not in row]
    assert len(names) == len({*names}) and len(names) > 15
    for name in names:
        with redirect_stdout(StringIO()) as output:
            assert main(["ls", name]) == 0
        assert output.getvalue().startswith(f"{name} (")


def test_a_model_is_described_with_the_arguments_that_are_given(capsys: pytest.CaptureFixture[str]) -> None:
    lstm = card(capsys, "LSTM", "--hidden_size", "8")
    assert lstm["arguments"][0]["default"] == 8
    gates = 4 * (8 * 8 + 8 * 8 + 2 * 8)
    assert lstm["num_parameters"] == lstm["num_tokens"] * 8 + gates + (8 + 1) * lstm["num_answers"]
    assert (lstm["state_sizes"], lstm["state_grows"]) == ([16, 16], False)
    assert lstm["references"] == ["arXiv 2602.18333, section 4"]
    assert r"c_t = f_t \odot c_{t-1}" in lstm["recurrence"]
    assert all(line == line.rstrip() for line in lstm["recurrence"].splitlines())


def test_a_model_is_described_with_its_shipped_scores(capsys: pytest.CaptureFixture[str]) -> None:
    (score,) = card(capsys, "LSTM")["scores"]
    assert (score["protocol"], score["budget"], score["model"]) == (
        "score-v1",
        "laptop",
        "LSTM(hidden_size=64, num_layers=1)",
    )
    assert f"{score['place']}, mean N50 {score['size']}; score-v1, budget laptop" in printed(capsys, "LSTM")


def test_a_transformers_state_grows(capsys: pytest.CaptureFixture[str]) -> None:
    small = ("Transformer", "--num_layers", "1", "--hidden_size", "8", "--num_heads", "2")
    assert card(capsys, *small)["state_grows"] is True
    assert "after 8: it grows" in printed(capsys, *small)


def test_a_card_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, "DeltaNet")
    assert "num_householders=1 " in text and "it does not grow" in text
    assert text.count("arXiv 2411.12537, table 2 (scaled)") == 2


def test_people_read_equations_without_latex(capsys: pytest.CaptureFixture[str]) -> None:
    assert "\n      h_t = (1 - z_t) \N{CIRCLED DOT OPERATOR} h\N{COMBINING TILDE}_t + z_t" in printed(capsys, "GRU")
    for entry in (*catalogue.entries(catalogue.MODELS), *catalogue.entries(catalogue.TASKS)):
        text = explanation(entry.load(), readable)
        assert "\\" not in text and ":math:" not in text and ".. math" not in text, entry.class_name


def test_a_tasks_machines(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, "FiniteGroup", "--group", "A5", "--generators", "standard")
    assert "order 60, abelian no, solvable no, states 60, symbols 2, strongly connected yes, minimal yes" in text
    lines = [line for line in printed(capsys, "FiniteGroup").splitlines() if "strongly connected" in line]
    assert len(lines) == 6
    assert "Z2xZ4" in lines[3] and "abelian yes" in lines[3]
    (machine,) = card(capsys, "ModularAddition", "--modulus", "7")["machines"]
    assert (machine["states"], machine["symbols"], machine["strongly_connected"]) == (7, 7, True)


def test_an_unknown_name_and_a_wrong_argument(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ls", "FiniteGrup"]) == 2
    assert "unknown name 'FiniteGrup', did you mean 'FiniteGroup'?" in capsys.readouterr().err
    assert main(["ls", "LSTM", "--hidden_size", "0"]) == 2
    assert "hidden_size must be" in capsys.readouterr().err
