"""Submissions and what they may not say: a tiny protocol, whose trials are made up instead of trained."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from made_up_scores import tiny_protocol

from ib_bench.errors import BenchError, StoreError
from ib_bench.models.metrics import normalized_accuracy
from ib_bench.quantities.curve.measurement import CurveMeasurement
from ib_bench.quantities.curve.prior import PRIOR
from ib_bench.quantities.curve.record import CurveConfig, CurveRecord
from ib_bench.quantities.extrapolation.extrapolation import extrapolate
from ib_bench.quantities.extrapolation.record import ExtrapolationConfig, ExtrapolationRecord, LengthAccuracy
from ib_bench.quantities.progress import ProgressReporter
from ib_bench.results.archive import Records
from ib_bench.results.integrity import Finding
from ib_bench.results.memory_store import MemoryStore
from ib_bench.results.records import ClassSpec, Experiment, Record
from ib_bench.results.trial_record import TrialConfig, TrialRecord, TrialStatus
from ib_bench.scoring.cell_data import CellData, cell_data
from ib_bench.scoring.protocol import Budget, ProtocolCell, read_budget
from ib_bench.scoring.score import Score, scores_of
from ib_bench.scoring.submission import check_submission, write_submission

PROTOCOL = tiny_protocol([0.001, 0.01], [1.0, 2.0])

POOL_SIZE, NUM_STATES = 95, 3
NUM_EVALUATED = [16, 20]
"""Sequences at 4 and at 8 symbols; fewer than 20 of 4 are held out."""


@dataclass
class Trained:
    record: TrialRecord


def trained(config: TrialConfig, solved_at: int = 8) -> Trained:
    """A trial that succeeds from a size on, with the larger rate alone."""
    is_solved = config.num_train_sequences >= solved_at and config.learning_rate == 0.01
    status: TrialStatus = "succeeded" if is_solved else "failed"
    loss = 0.1 if is_solved else 0.9
    where: tuple[Any, ...] = {"torch": "2.9"}, {"device": "cpu", "platform": "Linux"}, "now"
    record = TrialRecord(config.key, config, status, 50, loss, 50, 50, [(50, loss)], {}, "1", 1.0, 1.0, *where)
    return Trained(replace(record, num_parameters=10, state_sizes=[8, 8]))


def accuracy(length: int, num_right: int, num: int, num_answers: int = NUM_STATES) -> LengthAccuracy:
    share = num_right / num
    normalized = normalized_accuracy(share, 1 / num_answers)
    return LengthAccuracy("teacher_forced", length, num, share, share, normalized, normalized, [share])


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Budget:
    path = tmp_path_factory.mktemp("protocol") / "tiny.yaml"
    path.write_text(PROTOCOL)
    return read_budget(str(path), "tiny")


def measured(budget: Budget, pool_size: int = POOL_SIZE, solved_at: int = 8, code: str | None = None) -> Records:
    """The records of a score, as its jobs would have made them."""
    curve, longer = budget.cells
    model = ClassSpec("ib_bench.models.DenseSSM", {"hidden_size": 8})
    data = replace(curve.data, class_path=f"ib_bench.data.{curve.data.class_path.rpartition('.')[2]}")
    experiment = Experiment(model, data, source_digests={} if code is None else {"my.Own": code})
    store = MemoryStore()
    config = CurveConfig(experiment, curve.settings["search"], curve.settings["curve"], PRIOR)
    progress = ProgressReporter(lambda event: None)

    def train(configs: list[TrialConfig]) -> None:
        for one in configs:
            store.add(trained(one, solved_at).record)

    CurveMeasurement(config, pool_size, NUM_STATES, store, train, progress).run()
    extrapolate(
        ExtrapolationConfig(experiment, longer.settings["search"], longer.settings["extrapolation"]),
        pool_size,
        NUM_STATES,
        store,
        lambda one: trained(one, solved_at),
        lambda _: [accuracy(length, 12, num) for length, num in zip((4, 8), NUM_EVALUATED, strict=True)],
    )
    return Records.of_all(
        record for kind in (TrialRecord, CurveRecord, ExtrapolationRecord) for record in store.all(kind)
    )


def sent(budget: Budget, folder: Path, records: Records, reference: str = "arXiv 1") -> Path:
    """The folder of the first score in some records."""
    write_submission(scores_of(records, budget)[0], folder / "sent", reference)
    return folder / "sent"


@pytest.fixture
def protocol(tmp_path: Path) -> str:
    (tmp_path / "tiny.yaml").write_text(PROTOCOL)
    return str(tmp_path / "tiny.yaml")


def failures(findings: Sequence[Finding]) -> dict[str, list[str]]:
    return {one.check: one.names for one in findings if one.state == "failure"}


def changed(records: Records, kind: type[Record], change: Callable[[Any], Record]) -> Records:
    return Records.of_all(change(record) if isinstance(record, kind) else record for record in records)


def test_a_score_that_was_measured_fits(tiny: Budget, tmp_path: Path, protocol: str) -> None:
    findings = check_submission(sent(tiny, tmp_path, measured(tiny)), protocol)
    assert [(one.check, one.state, one.names) for one in findings if one.state != "ok"] == []


class TestCurves:
    def test_a_pool_that_is_said_to_be_small(self, tiny: Budget, tmp_path: Path, protocol: str) -> None:
        """A model that always fails would need "more than all 2 sequences that exist"."""
        found = failures(check_submission(sent(tiny, tmp_path, measured(tiny, pool_size=2, solved_at=99)), protocol))
        assert "pool_size is 2, its data give 95" in found["curves"][0]
        assert "num_train_sequences is 2, and must be 32" in found["extrapolations"][0]

    def test_a_largest_size_that_is_said_to_be_small(self, tiny: Budget, tmp_path: Path, protocol: str) -> None:
        records = changed(
            measured(tiny, pool_size=2, solved_at=99), CurveRecord, lambda one: replace(one, pool_size=95)
        )
        assert (
            "a trial that is not there"
            in failures(check_submission(sent(tiny, tmp_path, records), protocol))["curves"][0]
        )

    @pytest.mark.parametrize(
        ("change", "told"),
        [
            ({"num_states": 2}, "num_states is 2, its data give 3"),
            ({"num_sequences": 4}, "num_sequences is 4, its trials give None"),
        ],
    )
    def test_numbers_that_follow_from_the_data(
        self, change: dict[str, Any], told: str, tiny: Budget, tmp_path: Path, protocol: str
    ) -> None:
        records = changed(measured(tiny), CurveRecord, lambda one: replace(one, **change))
        (text,) = failures(check_submission(sent(tiny, tmp_path, records), protocol))["curves"]
        assert told in text


def _with_answers(record: ExtrapolationRecord, num_answers: int) -> ExtrapolationRecord:
    accuracies = [accuracy(one.length, 12, one.num_sequences, num_answers) for one in record.accuracies]
    return replace(record, accuracies=accuracies)


def _of_rate(record: ExtrapolationRecord, rate: float) -> ExtrapolationRecord:
    """Of the model with another learning rate, which is there for the pilot."""
    config = record.config
    other = config.search.trial_config(config.experiment, record.num_train_sequences, rate, 10)
    return replace(record, trial=other.key, trial_succeeded=False)


FORGED: dict[str, tuple[Callable[[ExtrapolationRecord], ExtrapolationRecord], str]] = {
    "a length left out": (lambda one: replace(one, accuracies=one.accuracies[:1]), "accuracies must be teacher_forced"),
    "another length": (
        lambda one: replace(one, accuracies=[one.accuracies[0], replace(one.accuracies[1], length=5)]),
        "at 4, 8 symbols",
    ),
    "one sequence": (
        lambda one: replace(one, accuracies=[one.accuracies[0], accuracy(8, 1, 1)]),
        "number of sequences at 8 symbols",
    ),
    "a smaller training set": (
        lambda one: replace(one, num_train_sequences=16),
        "num_train_sequences is 16, and must be 32",
    ),
    "another trial": (lambda one: _of_rate(one, 0.001), "and must be"),
    "no trial": (lambda one: replace(one, trial=None, trial_succeeded=False, accuracies=[]), "trial is None"),
    "nothing held out": (
        lambda one: replace(one, num_train_sequences=0, trial=None, trial_succeeded=False, accuracies=[]),
        "num_train_sequences is 0, and must be 32",
    ),
    "fewer answers": (lambda one: _with_answers(one, 2), "accuracies at 4 symbols"),
    "more states": (lambda one: replace(one, num_states=2**20), "num_states is 1048576"),
    "another mean": (
        lambda one: replace(
            one,
            accuracies=[replace(own, token_accuracy=1.0, normalized_token_accuracy=1.0) for own in one.accuracies],
        ),
        "accuracies at 4 symbols",
    ),
}


class TestExtrapolations:
    @pytest.mark.parametrize(("change", "told"), FORGED.values(), ids=FORGED)
    def test_what_was_not_asked_for(
        self,
        change: Callable[[ExtrapolationRecord], ExtrapolationRecord],
        told: str,
        tiny: Budget,
        tmp_path: Path,
        protocol: str,
    ) -> None:
        records = changed(measured(tiny), ExtrapolationRecord, change)
        texts = failures(check_submission(sent(tiny, tmp_path, records), protocol))["extrapolations"]
        assert told in texts[0]

    def test_data_from_elsewhere_are_believed_and_named(
        self, tiny: Budget, tmp_path: Path, protocol: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("ib_bench.scoring.record_checks.cell_data", lambda cell: None)
        path = sent(tiny, tmp_path, measured(tiny))
        findings = check_submission(path, protocol)
        assert failures(findings) == {}
        (warning,) = (one for one in findings if one.state == "warning")
        assert warning.check == "data" and len(warning.names) == 2
        for name in ("a length left out", "another trial", "no trial"):
            change, told = FORGED[name]
            path = sent(tiny, tmp_path, changed(measured(tiny), ExtrapolationRecord, change))
            assert told in failures(check_submission(path, protocol))["extrapolations"][0]


class TestCellData:
    def test_it_is_counted(self, tiny: Budget) -> None:
        found = cell_data(tiny.cells[0])
        assert isinstance(found, CellData)
        assert (found.pool_size, found.num_states, found.num_answers, found.max_length) == (POOL_SIZE, 3, 3, 4)
        assert list(found.num_evaluated([4, 8], 20, 32, 10).values()) == NUM_EVALUATED
        assert found.num_sequences == 9 + 27 + 81

    @pytest.mark.parametrize(
        ("path", "argument"),
        [
            ("strangers_module.Data", {}),
            ("ib_bench.data", {}),
            ("ib_bench.data.ModularAddition", {"supervision": "strangers_module.Own"}),
            ("ib_bench.data.Automaton", {"file": "strangers.yaml"}),
        ],
    )
    def test_code_and_files_from_elsewhere_are_left_alone(
        self, path: str, argument: dict[str, str], tiny: Budget, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("ib_bench.scoring.cell_data.instantiate_data", None)  # would be called
        cell = tiny.cells[0]
        data = replace(cell.data, class_path=path, init_args={**cell.data.init_args, **argument})
        assert cell_data(ProtocolCell(cell.algebra, cell.measures, data, cell.settings)) is None

    def test_nothing_held_out(self, tiny: Budget) -> None:
        cell = tiny.cells[0]
        data = replace(cell.data, init_args={"modulus": 2, "max_length": 2})
        found = cell_data(ProtocolCell(cell.algebra, cell.measures, data, cell.settings))
        assert found is not None and (found.pool_size, found.num_states) == (0, None)


class TestWriting:
    def test_a_version_of_several_is_sent_without_its_mark(self, tiny: Budget, tmp_path: Path, protocol: str) -> None:
        versions = [measured(tiny, code=digit * 32) for digit in "12"]
        scores = scores_of(Records.of_all(record for own in versions for record in own), tiny)
        assert len(scores) == 2 and all(" @" in score.name for score in scores)
        write_submission(scores[0], tmp_path / "sent", "arXiv 1")
        assert failures(check_submission(tmp_path / "sent", protocol)) == {}
        assert " @" not in (tmp_path / "sent" / "card.md").read_text()

    @pytest.mark.parametrize(
        ("place", "text", "is_named"),
        [
            ("/home/ann", "/home/ann/models/own.pt", True),
            ("/home/ann", "file:///home/ann/own.pt", True),
            ("/home/ann", "--weights=/home/ann", True),
            ("/home/ann", "https://example.org/home/annlab", False),
            ("/app", "https://example.org/app/x", False),
            ("/data", "/database/x", False),
            ("/scratch", "./scratch/x", False),
            (
                "/home/j\N{LATIN SMALL LETTER U WITH DIAERESIS}rgen",
                "/home/j\N{LATIN SMALL LETTER U WITH DIAERESIS}rgen/x",
                True,
            ),
        ],
    )
    def test_places_of_this_machine(
        self, place: str, text: str, is_named: bool, tiny: Budget, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Path, "home", lambda: Path(place))
        score = _with_argument(tiny, text)
        if is_named:
            with pytest.raises(BenchError, match="names a folder of this machine"):
                write_submission(score, tmp_path / "sent", "arXiv 1")
        else:
            write_submission(score, tmp_path / "sent", f"https://example.org{place}/x")

    def test_the_reference_may_name_a_place(
        self, tiny: Budget, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Path, "home", lambda: Path("/home/ann"))
        assert sent(tiny, tmp_path, measured(tiny), "the folder /root of x").is_dir()

    def test_the_reference_is_one_line(self, tiny: Budget, tmp_path: Path, protocol: str) -> None:
        path = sent(tiny, tmp_path, measured(tiny), "a\rb\n# title\x1b[2J")
        assert failures(check_submission(path, protocol)) == {}
        assert (path / "card.md").read_text().splitlines()[-1] == "- reference: a b # title"
        with pytest.raises(BenchError, match="reference must be a paper, or the URL of the code"):
            sent(tiny, tmp_path, measured(tiny), "\x1b[2J")

    def test_a_reference_of_several_lines_is_refused(self, tiny: Budget, tmp_path: Path, protocol: str) -> None:
        path = sent(tiny, tmp_path, measured(tiny))
        card = json.loads((path / "card.json").read_text())
        references: list[Any] = ["a\n# title", "", 3, [[]]]
        for reference in references:
            (path / "card.json").write_text(json.dumps({**card, "reference": reference}))
            found = failures(check_submission(path, protocol))
            assert found["reference"] == ["the card must say in one line where the model is from"]


class TestCards:
    @pytest.fixture
    def path(self, tiny: Budget, tmp_path: Path) -> Path:
        return sent(tiny, tmp_path, measured(tiny))

    @pytest.mark.parametrize(
        "text",
        ["nothing", "[]", '{"more": %s}' % ("9" * 5000), "[" * 100_000 + "]" * 100_000],
        ids=["text", "list", "digits", "nested"],
    )
    def test_what_is_no_card(self, text: str, path: Path, protocol: str) -> None:
        (path / "card.json").write_text(text)
        with pytest.raises(StoreError, match=r"is not valid JSON|must hold a mapping"):
            check_submission(path, protocol)

    @pytest.mark.parametrize("name", ["protocol", "budget"])
    def test_a_card_that_does_not_say_of_what(self, name: str, path: Path, protocol: str) -> None:
        card = json.loads((path / "card.json").read_text())
        (path / "card.json").write_text(json.dumps({**card, name: [1]}))
        with pytest.raises(StoreError, match=f"must name its {name}"):
            check_submission(path, protocol)

    @pytest.mark.parametrize(
        ("value", "told"),
        [
            (10**400, "wall_time_s is 1000"),
            (json.loads("[" * 300 + "]" * 300), "wall_time_s is a list of 1, and the records say"),
            ("\x1b[2J", r"wall_time_s is '\x1b[2J'"),
        ],
        ids=["digits", "nested", "escape"],
    )
    def test_a_value_that_is_no_number(self, value: Any, told: str, path: Path, protocol: str) -> None:
        card = json.loads((path / "card.json").read_text())
        (path / "card.json").write_text(json.dumps({**card, "wall_time_s": value}))
        (text,) = failures(check_submission(path, protocol))["card"]
        assert text.startswith(told) and len(text) < 500


def _with_argument(budget: Budget, note: str) -> Score:
    """The score of a model with an argument, whose trials keep their keys."""
    return scores_of(_noted(measured(budget), note), budget)[0]


def _noted(records: Records, note: str) -> Records:
    def noted(record: Any) -> Record:
        if isinstance(record, TrialRecord):
            return record
        experiment = record.config.experiment
        config = replace(
            record.config, experiment=replace(experiment, model=experiment.model.with_arguments(note=note))
        )
        return replace(record, key=config.key, config=config)

    return Records.of_all(map(noted, records))
