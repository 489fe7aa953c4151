"""``ib-bench score`` and what is made of it, as a user calls them: a tiny protocol, measured once."""

from __future__ import annotations

import gzip
import json
import re
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from made_up_scores import tiny_protocol
from offline_runs import inspect

import ib_bench
from ib_bench.cli import main
from ib_bench.errors import BenchError
from ib_bench.models import DenseSSM
from ib_bench.quantities.curve.record import CurveRecord
from ib_bench.quantities.extrapolation.record import ExtrapolationRecord
from ib_bench.results.archive import Records, read_archive, write_archive
from ib_bench.results.records import Record
from ib_bench.results.store import Store
from ib_bench.results.trial_record import TrialRecord

PROTOCOL = tiny_protocol([0.01, 0.001], [1.0, 2.0, 8.0])

MODEL = "DenseSSM(hidden_size=8)"
NAME = "DenseSSM(hidden_size=8, normalization=rms)"
TINY = ["--protocol", "tiny.yaml", "--budget", "tiny"]
QUIET = ["--wandb.mode", "disabled", "--executor", "inline"]

Change = Callable[[Record], "Record | None"]


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the protocol, and a store with the score of one model."""
    folder = tmp_path_factory.mktemp("scores")
    (folder / "tiny.yaml").write_text(PROTOCOL)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "path", [*sys.path])
        assert main(["score", MODEL, *TINY, *QUIET]) == 0
    return folder


@pytest.fixture
def folder(measured: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, as the working folder."""
    for path in measured.iterdir():
        shutil.copy(path, tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("JSONARGPARSE_DEPRECATION_WARNINGS", "off")  # caused by Lightning's calls, as in the command
    return tmp_path


@pytest.fixture
def submission(folder: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    options = ["--submission", "sent", "--model", MODEL, "--reference", "arXiv 2505.21749"]
    assert main(["store", "export", *options, *TINY]) == 0
    capsys.readouterr()
    return folder / "sent"


def check(capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, list[str]]]:
    """The exit code, and what does not fit, by the name of the check."""
    capsys.readouterr()
    code = main(["store", "check", "--submission", "sent", "--protocol", "tiny.yaml", "--format", "json"])
    findings = json.loads(capsys.readouterr().out)
    return code, {one["check"]: one["names"] for one in findings if one["state"] == "failure"}


def change(folder: Path, change_record: Change) -> None:
    """Change the records of a submission; those that become None are left out."""
    path = folder / "records.jsonl.gz"
    changed = [change_record(record) for record in read_archive(path)]
    write_archive(Records.of_all(record for record in changed if record is not None), path)


@pytest.mark.system
class TestScore:
    def test_a_second_time_trains_nothing_and_prints_the_card(
        self, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("ib_bench.runner.jobs.run_local", None)  # would be called
        assert main(["score", MODEL, *TINY, *QUIET]) == 0
        text = capsys.readouterr().out
        for part in (
            "mean N50",
            "at 8 L",
            "tiny.yaml, budget tiny",
            "seeds: 10",
            "device: cpu",
            f'score "{MODEL[:-1]}, normalization=',
        ):
            assert part in text

    def test_its_forms(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        for form in ("markdown", "json"):
            assert main(["score", MODEL, *TINY, *QUIET, "--format", form]) == 0
        markdown, _, rest = capsys.readouterr().out.partition("\n{")
        card = json.loads("{" + rest)
        assert "| mean N50" in markdown and card["num_cells"] == card["num_all_cells"] == 2
        assert card["numbers"]["parameters"]["median"] == 8 * 3 + 8 * 8 * 8 + 8 + 8 * 3 + 3
        assert card["state_sizes"] == [8, 8] and card["seeds"] == [10, 11, 12, 13]
        for name in ("card.svg", "card.md", "card.json"):
            assert main(["score", MODEL, *TINY, *QUIET, "--out", name]) == 0
        assert (folder / "card.svg").read_text().startswith("<svg")
        assert json.loads((folder / "card.json").read_text()) == card
        assert (folder / "card.md").read_text().strip() == markdown.strip()

    def test_dry_run_counts_and_measures_nothing(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        before = (folder / "ib_bench.sqlite").read_bytes()
        assert main(["score", MODEL, "GRU", *TINY, *QUIET, "--dry_run"]) == 0
        rows = [line.split() for line in capsys.readouterr().out.splitlines()]
        assert ["N50", "2", "1", "1"] in rows and ["extrapolations", "2", "1", "1"] in rows
        assert (folder / "ib_bench.sqlite").read_bytes() == before

    def test_python_gives_the_same(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["score", MODEL, *TINY, *QUIET]) == 0
        printed = capsys.readouterr().out
        found = ib_bench.score(MODEL, "tiny", protocol="tiny.yaml", progress=False)
        words = [set(text.split()) for text in (printed, str(found))]
        assert found.is_complete and found.command in printed and words[0] ^ words[1] <= _rules(printed + str(found))
        for model in ({"class_path": "DenseSSM", "init_args": {"hidden_size": 8}}, partial(DenseSSM, hidden_size=8)):
            assert ib_bench.score(model, "tiny", protocol="tiny.yaml").size == found.size
        shown = found._repr_mimebundle_()
        assert "mean N50" in shown["text/plain"] and "image/svg+xml" in shown["text/html"]
        with pytest.raises(BenchError, match="unknown section 'serch'"):
            ib_bench.score(MODEL, "tiny", protocol="tiny.yaml", serch={})

    def test_a_model_of_ones_own_is_scored_and_ranked(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        own = "from ib_bench.models.majority import Majority\n\n\nclass Guess(Majority):\n    pass\n"
        (folder / "my_guesses.py").write_text(own)
        assert main(["score", "my_guesses.Guess", *TINY, *QUIET]) == 0
        assert main(["league", "--own_only", *TINY, "--format", "json"]) == 0
        text = capsys.readouterr().out
        rows = json.loads(text[text.index("\n{") :])["rows"]
        assert [row["model"] for row in rows] == [NAME, "my_guesses.Guess"]
        assert [row["rank"] for row in rows] == [[1, 2], [1, 2]]  # three trials tell little

    def test_wandb_gets_a_run_with_the_card(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        wandb = pytest.importorskip("wandb")
        for name in ("WANDB_MODE", "WANDB_API_KEY", "WANDB_DIR"):
            monkeypatch.delenv(name, raising=False)
        wandb.teardown()
        for _ in range(2):
            assert main(["score", MODEL, *TINY, "--wandb.mode", "offline", "--executor", "inline"]) == 0
        (run,) = (folder / "wandb").glob("offline-run-*")
        entries = [json.loads(line) for line in inspect(run, "--json").splitlines()]
        header = next(entry["run"] for entry in entries if entry["type"] == "run")
        assert header["job_type"] == "score" and header["run_group"] == "tiny.yaml, budget tiny"
        summary = json.loads(inspect(run, "--summary", "--json"))["summary"]
        assert summary["size_low"] <= summary["size"] <= summary["size_high"]


@pytest.mark.system
class TestSubmission:
    def test_it_fits_and_names_no_place(self, submission: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert check(capsys) == (0, {})
        assert sorted(path.name for path in submission.iterdir()) == ["card.json", "card.md", "records.jsonl.gz"]
        card = json.loads((submission / "card.json").read_text())
        assert card["reference"] == "arXiv 2505.21749" and card["model"]["source_digests"] == {}
        everything = (submission / "card.json").read_text() + (submission / "card.md").read_text()
        home = str(Path.home())
        assert str(submission.parent) not in everything and (home == "/" or home not in everything)

    def test_the_league_reads_it(self, submission: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["league", "sent", "--own_only", *TINY]) == 0
        assert NAME in capsys.readouterr().out

    @pytest.mark.parametrize(
        ("place", "value", "told"),
        [
            (("numbers", "size", "median"), 1.0, "numbers.size.median is 1.0"),
            (("cells", 0, "num_trials"), 99, "cells[0].num_trials is 99"),
            (("model", "class_path"), "my.Own", "model.class_path is 'my.Own'"),
            (("num_steps",), 1, "num_steps is 1"),
            (("better",), True, "better is True"),
        ],
    )
    def test_a_changed_card(
        self, place: tuple[Any, ...], value: object, told: str, submission: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        card = json.loads((submission / "card.json").read_text())
        inner = card
        for name in place[:-1]:
            inner = inner[name]
        inner[place[-1]] = value
        (submission / "card.json").write_text(json.dumps(card))
        code, found = check(capsys)
        assert code == 1 and set(found) == {"card"}
        assert found["card"][0].startswith(told)

    def test_a_trial_that_is_left_out(self, submission: Path, capsys: pytest.CaptureFixture[str]) -> None:
        key = _curve(submission).curve_trials[1].trial
        change(submission, lambda record: None if record.key == key else record)
        code, found = check(capsys)
        assert code == 1 and found["records"] == [f"missing: trial {key}"]
        assert "a trial that is not there" in found["curves"][0]

    def test_a_curve_of_chosen_trials(self, submission: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """Without its first trial; the estimate is that of the others."""

        def chosen(record: Record) -> Record:
            return replace(record, curve_trials=record.curve_trials[1:]) if isinstance(record, CurveRecord) else record

        change(submission, chosen)
        code, found = check(capsys)
        assert code == 1 and "a trial that is not there" in found["curves"][0]
        assert found["records"][0].startswith("not asked for")

    def test_a_curve_with_other_confirmations(self, submission: Path, capsys: pytest.CaptureFixture[str]) -> None:
        def improved(record: Record) -> Record:
            return replace(record, num_checked=99, num_confirmed=99) if isinstance(record, CurveRecord) else record

        change(submission, improved)
        code, found = check(capsys)
        assert code == 1 and all("num_confirmed is 99, its trials give " in one for one in found["curves"])

    def test_a_curve_with_another_estimate(self, submission: Path, capsys: pytest.CaptureFixture[str]) -> None:
        def improved(record: Record) -> Record:
            if not isinstance(record, CurveRecord) or record.estimate is None:
                return record
            sizes = replace(record.estimate.n50, low=1.0, median=2.0)
            return replace(record, estimate=replace(record.estimate, n50=sizes))

        change(submission, improved)
        code, found = check(capsys)
        assert code == 1 and "verdict" in found["curves"][0] and "cells[0].n50" in " ".join(found["card"])

    def test_an_accuracy_that_contradicts_itself(self, submission: Path, capsys: pytest.CaptureFixture[str]) -> None:
        def improved(record: Record) -> Record:
            if not isinstance(record, ExtrapolationRecord):
                return record
            accuracies = [replace(one, normalized_final_state_accuracy=1.0) for one in record.accuracies]
            return replace(record, accuracies=accuracies)

        change(submission, improved)
        code, found = check(capsys)
        assert code == 1 and "accuracies at" in found["extrapolations"][0]

    @pytest.mark.parametrize("num_answers", [2, 3, 7])
    def test_the_number_of_answers_is_that_of_the_data(
        self, num_answers: int, submission: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        def other(record: Record) -> Record:
            if not isinstance(record, ExtrapolationRecord):
                return record
            found = []
            for one in record.accuracies:
                normalized = (one.final_state_accuracy - 1 / num_answers) / (1 - 1 / num_answers)
                found.append(replace(one, normalized_final_state_accuracy=normalized))
            return replace(record, accuracies=found)

        change(submission, other)
        _, found = check(capsys)
        assert ("extrapolations" in found) == (num_answers != 3)

    def test_accuracies_of_nothing_are_no_record(self, submission: Path, capsys: pytest.CaptureFixture[str]) -> None:
        def emptied(lines: list[str]) -> list[str]:
            return [re.sub(r'"position_accuracy":\[[^]]*\]', '"position_accuracy":[]', line) for line in lines]

        self.rewrite(submission, emptied)
        assert main(["store", "check", "--submission", "sent", "--protocol", "tiny.yaml"]) == 2
        assert "is no record: an accuracy is of at least one sequence and one state" in capsys.readouterr().err

    def test_records_that_nobody_asked_for(self, submission: Path, capsys: pytest.CaptureFixture[str]) -> None:
        path = submission / "records.jsonl.gz"
        records = [*read_archive(path)]
        trial = next(record for record in records if isinstance(record, TrialRecord))
        config = replace(trial.config, seed=99)
        write_archive(Records.of_all([*records, replace(trial, key=config.key, config=config)]), path)
        code, found = check(capsys)
        assert code == 1 and found["records"][0].startswith(f"not asked for: {config.key}")

    @pytest.mark.parametrize(
        ("old", "new", "told"),
        [
            ('"curve_trials":[{', '"curve_trials":[{"weight":2,', ["unknown field curve_trials[0].weight"]),
            (
                '"curve_trials":[{',
                '"curve_trials":[{"weight":%s,' % ("9" * 5000),
                ["unknown field curve_trials[0].weight"],
            ),
            ('"kind":"curves"', '"kind":"curves","weight":2', ["unknown field weight"]),
            ('"max_trials":3', '"max_trials":3,"better":true', ["unknown field config.settings.better"]),
            ('"num_checked":', '"num_checked":9,"num_checked":', ["field num_checked comes twice"]),
            ('"max_trials":3', '"max_trials":3,"hold":null', []),  # a default that is written out
        ],
    )
    def test_a_field_that_no_record_has_or_that_comes_twice(
        self, old: str, new: str, told: list[str], submission: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert old in gzip.decompress((submission / "records.jsonl.gz").read_bytes()).decode()
        self.rewrite(
            submission, lambda lines: [line.replace(old, new, 1) if '"curves"' in line else line for line in lines]
        )
        code, found = check(capsys)
        assert code == bool(told) and [text.rpartition(": ")[2] for text in found.get("records", [])] == told

    def test_a_record_of_an_old_shape_hides_no_field(
        self, submission: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        def without_shape(line: str) -> str:
            return re.sub(r'^{"shape":\d+,', '{"weight":2,', line)

        self.rewrite(submission, lambda lines: [lines[0], *map(without_shape, lines[1:])])
        _, found = check(capsys)
        assert found["records"] and all("unknown field weight" in text for text in found["records"])

    def test_a_record_that_is_there_twice(self, submission: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.rewrite(submission, lambda lines: [*lines, lines[-1]])
        code, found = check(capsys)
        assert code == 1 and [text.rpartition(": ")[2] for text in found["records"]] == ["there twice"]

    @staticmethod
    def rewrite(submission: Path, change_lines: Callable[[list[str]], list[str]]) -> None:
        path = submission / "records.jsonl.gz"
        lines = gzip.decompress(path.read_bytes()).decode().splitlines()
        path.write_bytes(gzip.compress("\n".join(change_lines(lines)).encode()))

    def test_a_key_of_another_config(self, submission: Path, capsys: pytest.CaptureFixture[str]) -> None:
        key = _curve(submission).curve_trials[0].trial

        def forged(record: Record) -> Record:
            if record.key != key or not isinstance(record, TrialRecord):
                return record
            return replace(record, config=replace(record.config, seed=77))

        change(submission, forged)
        assert main(["store", "check", "--submission", "sent", "--protocol", "tiny.yaml"]) == 2
        assert "is no record" in capsys.readouterr().err

    def test_a_score_that_is_not_complete_is_not_sent(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        with Store("ib_bench.sqlite") as store:
            records = [record for record in store.all(CurveRecord)]
            trials = store.get_many(TrialRecord, records[0].trials)
        with Store("part.sqlite") as store:
            store.add_all([*trials, *records])
        capsys.readouterr()
        options = ["--store", "part.sqlite", "--submission", "sent", "--reference", "x", *TINY]
        assert main(["store", "export", *options]) == 2
        assert "has 1 of the 2 cells" in capsys.readouterr().err
        assert not (folder / "sent").exists()


def _rules(text: str) -> set[str]:
    """The lines below headings, which are as wide as the terminal allows."""
    return {word for word in text.split() if set(word) == {"\N{BOX DRAWINGS LIGHT HORIZONTAL}"}}


def _curve(submission: Path) -> CurveRecord:
    (record,) = read_archive(submission / "records.jsonl.gz").of(CurveRecord)
    return record


BAD = {
    "no model": (["score"], ["models must be at least one model"]),
    "model": (["score", "LSTN"], ["unknown model 'LSTN'", "did you mean 'LSTM'"]),
    "arguments": (["score", "LSTM(hiden_size=4)"], ["hiden_size", "did you mean 'hidden_size'"]),
    "no literal": (["score", "LSTM(hidden_size=x)"], ["model must be a class", "texts in quotes"]),
    "budget": (["score", "LSTM", "--budget", "laptp"], ["unknown budget 'laptp'", "did you mean 'laptop'"]),
    "protocol": (["score", "LSTM", "--protocol", "score-v9"], ["unknown protocol 'score-v9'", "known: score-v1"]),
    "out": (["score", "LSTM", "--out", "card.txt"], ["out must be a name that ends in .svg, .md, .json"]),
    "out of several": (["score", "LSTM", "GRU", "--out", "card.md"], ["out must be left out for 2 models"]),
    "folder of out": (["score", "LSTM", "--out", "no/card.md"], ["out must be a file that can be written"]),
    "sort": (["league", "here.sqlite", "--sort", "szie"], ["unknown number to sort by 'szie'"]),
    "source": (["league", "nowhere.sqlite"], ["'nowhere.sqlite' does not exist"]),
    "no scores": (["league", "here.sqlite", "--own_only"], ["there are no scores of score-v1, budget laptop"]),
    "league's file": (["league", "here.sqlite", "--out", "l.pdf"], ["out must be a name that ends in .svg, .md, .csv"]),
    "export": (["store", "export"], ["the following arguments are required: file, or --submission"]),
    "reference": (
        ["store", "export", "--submission", "sent", "--store", "here.sqlite"],
        ["reference must be a paper, or the URL of the code"],
    ),
    "no score": (
        ["store", "export", "--submission", "sent", "--store", "here.sqlite", "--reference", "x"],
        ["here.sqlite has no score of score-v1, budget laptop"],
    ),
    "without submission": (
        ["store", "export", "a.csv", "--store", "here.sqlite", "--model", "LSTM"],
        ["model must be left out without --submission"],
    ),
    "with file": (
        ["store", "export", "a.csv", "--submission", "sent", "--reference", "x"],
        ["file must be left out with --submission"],
    ),
    "protocol of a store": (
        ["store", "check", "--store", "here.sqlite", "--protocol", "score-v2"],
        ["protocol must be left out without --submission"],
    ),
    "no submission": (["store", "check", "--submission", "sent"], ["'sent' is no submission: it has no card.json"]),
}


@pytest.mark.parametrize(("arguments", "told"), BAD.values(), ids=BAD)
def test_bad_input(
    arguments: list[str],
    told: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    Store(tmp_path / "here.sqlite").close()
    before = sorted(tmp_path.iterdir())
    assert main(arguments) == 2
    text = capsys.readouterr().err
    assert all(part in text for part in told), text
    assert text.count("\n") == 1 and "Traceback" not in text
    assert sorted(tmp_path.iterdir()) == before
