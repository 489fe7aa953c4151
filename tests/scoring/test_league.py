"""Scores and leagues of made-up records."""

from __future__ import annotations

import csv
import io
import json
import math
import re
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from made_up_records import OUTCOME, Point, curve
from made_up_scores import NUM_CELLS, PROTOCOL, budget, every_cell, score_records

from ib_bench import scoring
from ib_bench.cli import main
from ib_bench.drawing.columns import json_text
from ib_bench.drawing.tables import comma_separated, latex, markdown
from ib_bench.errors import BenchError
from ib_bench.quantities.curve.record import CurveRecord, Sizes
from ib_bench.quantities.extrapolation.record import ExtrapolationRecord
from ib_bench.report.study_report import study_report
from ib_bench.results.archive import Records, write_archive
from ib_bench.results.records import ClassSpec, Record
from ib_bench.results.trial_record import TrialRecord
from ib_bench.scoring.card import card_figure, card_json, card_markdown, card_text, logged_card
from ib_bench.scoring.league import (
    SHIPPED,
    League,
    among_shipped,
    league,
    league_figure,
    league_json,
    league_sentence,
    league_table,
    shipped_archive,
    shipped_leagues,
)
from ib_bench.scoring.numbers import numbers_of
from ib_bench.scoring.protocol import Budget, read_budget, shipped_budgets
from ib_bench.scoring.score import Score, scores_called, scores_of


@pytest.fixture
def small(tmp_path: Path) -> Budget:
    return budget(tmp_path)


def together(*parts: Records) -> Records:
    return Records.of_all(record for part in parts for record in part)


def score(own: Budget, *arguments: Any, **options: Any) -> Score:
    (found,) = scores_of(score_records("LSTM", *arguments, **options), own)
    return found


def row_texts(own: League) -> list[list[str]]:
    return [[entry.text for entry in row] for row in league_table(own).rows]


class TestScore:
    def test_its_numbers(self, small: Budget) -> None:
        found = score(small, every_cell(100, kappa=2))
        assert found.is_complete and found.num_cells == NUM_CELLS
        assert found.size is not None and found.size.low < 100 < found.size.high
        assert found.size.high / found.size.low < 1.6
        assert found.kappa is not None and found.kappa.low < 2 < found.kappa.high
        assert found.slope is not None and found.slope.low < 0 < found.slope.high
        at_2x = found.accuracy(2)
        assert at_2x is not None and at_2x.median == 0.5 and at_2x.low < 0.45 < 0.55 < at_2x.high
        assert (found.num_parameters, found.state_sizes) == (1000, [8, 8])
        assert found.step_ms is not None and found.step_ms.median == pytest.approx(2)
        assert (found.seeds, found.versions) == ([10], {"torch": ["2.9"]})

    def test_the_interval_of_an_accuracy_is_that_of_its_sequences(self, small: Budget) -> None:
        at_2x = score(small, every_cell(100), 0.9).accuracy(2)
        assert at_2x is not None
        assert at_2x.high - at_2x.low == pytest.approx(2 * 1.645 * math.sqrt(0.9 * 0.1 / 100), rel=0.1)

    def test_a_cell_above_the_largest_size_counts_as_the_largest_size(self, small: Budget) -> None:
        found = score(small, {**every_cell(64), "outcome": math.inf})
        assert found.size is not None and found.size.median == pytest.approx(512, rel=0.2)
        assert "above the largest size in 1 of 2 cells" in card_text(found)

    def test_a_partial_score_says_what_is_missing(self, small: Budget) -> None:
        found = score(small, {"outcome": 100}, accuracy=None)
        assert not found.is_complete and found.kappa is None and found.slope is None and found.accuracy(2) is None
        assert found.size is not None and found.size.median is None
        assert found.size.low < 20 and found.size.high > 500
        assert f"incomplete: 1 of {NUM_CELLS} cells" in card_text(found)

    def test_a_curve_that_still_runs_is_no_part_of_it(self, small: Budget) -> None:
        running = replace(curve(Point("LSTM", OUTCOME), 50), status="running")
        assert scores_of(Records.of_all([running]), small) == []

    def test_models_are_told_apart_by_arguments_code_and_what_they_see(self, small: Budget) -> None:
        one = curve(Point("LSTM", OUTCOME), 50)
        experiment = one.config.experiment
        others = [
            replace(experiment, source_digests={"my.Own": "1" * 32}),
            replace(experiment, model=experiment.model.with_arguments(hidden_size=9)),
        ]
        configs = [replace(one.config, experiment=other) for other in others]
        records = [one, *(replace(one, key=config.key, config=config) for config in configs)]
        names = [found.name for found in scores_of(Records.of_all(records), small)]
        first, second, *others = names
        assert first != second and {first.partition(" @")[0], second.partition(" @")[0]} == {"LSTM(hidden_size=8)"}
        assert others == ["LSTM(hidden_size=9)"]

    def test_a_model_is_one_whatever_the_code_of_its_data_and_where_it_was_seen_to_look_ahead(
        self, small: Budget
    ) -> None:
        changed: list[Record] = []
        for record in score_records("LSTM", every_cell(100)):
            if isinstance(record, ExtrapolationRecord):
                path = record.config.experiment.data.class_path
                digests = {"my.Own": "1" * 32, path: "2" * 32}
                experiment = replace(record.config.experiment, source_digests=digests, looks_ahead=True)
            else:
                experiment = replace(record.config.experiment, source_digests={"my.Own": "1" * 32})  # type: ignore[attr-defined]
            config = replace(record.config, experiment=experiment)  # type: ignore[attr-defined]
            key = record.key if isinstance(record, TrialRecord) else config.key
            changed.append(replace(record, key=key, config=config))  # type: ignore[type-var]
        (found,) = scores_of(Records.of_all(changed), small)
        assert found.is_complete and found.source_digests == {"my.Own": "1" * 32}
        assert found.name == "LSTM(hidden_size=8) (looks ahead)" and found.command.endswith(" --allow_lookahead")

    def test_its_command_repeats_it(self, small: Budget) -> None:
        command = score(small, every_cell(100)).command
        assert command == 'ib-bench score "LSTM(hidden_size=8)" --protocol made-up.yaml --budget small'

    def test_its_command_is_quoted(self, tmp_path: Path) -> None:
        path = tmp_path / "made up; rm x.yaml"
        path.write_text(PROTOCOL)
        own = read_budget(str(path), "small")
        found = score(own, every_cell(100))
        words = shlex.split(found.command)
        assert words == ["ib-bench", "score", "LSTM(hidden_size=8)", "--protocol", path.name, "--budget", "small"]
        experiment = found.config.experiment
        model = ClassSpec("my.Own; rm x")
        config = replace(found.config, experiment=replace(experiment, model=model))  # type: ignore[type-var]
        (strange,) = scores_of(Records.of_all([replace(_curve(found), key=config.key, config=config)]), own)  # type: ignore[arg-type]
        assert shlex.split(strange.command)[:3] == ["ib-bench", "score", "my.Own; rm x"]


class TestCard:
    def test_every_form_names_protocol_device_versions_seeds_and_command(self, small: Budget) -> None:
        found = score(small, every_cell(100))
        svg = card_figure(found).svg
        for text in (card_text(found), card_markdown(found), json_text(card_json(found)), svg, str(found)):
            for part in ("made-up.yaml", "small", "cpu", "2.9", "10", "ib-bench score"):
                assert part in text
        assert len(repr(found)) < 100

    def test_a_protocol_of_ones_own_is_said_to_be_one(self, small: Budget) -> None:
        found = score(small, every_cell(100))
        for text in (card_text(found), card_markdown(found), card_figure(found).svg):
            assert "file made-up.yaml, not part of ib_bench" in text
        shipped = replace(small, protocol="score-v1")
        assert "not part of ib_bench" not in card_text(replace(found, budget=shipped))

    def test_json_has_no_infinite_numbers(self, small: Budget) -> None:
        card = card_json(score(small, {**every_cell(64), "fixed 2": math.inf, "L=9": math.inf}))
        assert json.loads(json_text(card)) == card
        assert card["numbers"]["kappa"]["low"] > 0 and card["numbers"]["kappa"]["high"] is None

    def test_json_gives_no_size_to_a_cell_above_the_largest(self, small: Budget) -> None:
        found = score(small, {**every_cell(64), "outcome": math.inf})
        assert card_json(found)["numbers"]["abelian_outcome"] == {"low": 4096, "median": None, "high": None}

    def test_a_name_from_elsewhere_is_no_markup_and_moves_no_cursor(self, small: Budget) -> None:
        one = curve(Point("LSTM", OUTCOME), 50)
        model = one.config.experiment.model.with_arguments(note="`|\x1b[2J<b>\n# x")
        config = replace(one.config, experiment=replace(one.config.experiment, model=model))
        (found,) = scores_of(Records.of_all([replace(one, key=config.key, config=config)]), small)
        assert "\x1b" not in card_text(found) + card_markdown(found) + card_figure(found).svg
        assert "\n# x" not in card_markdown(found) and "<b>" not in card_figure(found).svg

    def test_a_name_is_one_line_wherever_it_is_shown(self, small: Budget) -> None:
        """Also on the report's page, which takes texts as they are."""
        one = curve(Point("LSTM", OUTCOME), 50)
        model = one.config.experiment.model.with_arguments(note="\x1b[2J\u202ea\nb")
        config = replace(one.config, experiment=replace(one.config.experiment, model=model))
        found = Records.of_all([replace(one, key=config.key, config=config), one])
        names = [own.name for own in scores_of(found, small)]
        assert names == ["LSTM(hidden_size=8, note=a b)", "LSTM(hidden_size=8)"]
        own = league({"here": found}, small)
        drawn = json.dumps(league_figure(own).spec, ensure_ascii=False)
        assert "LSTM(note=a b)" in drawn and "\\u202e" not in json.dumps(league_json(own)) and "\u202e" not in drawn
        assert sorted(row[1] for row in row_texts(own)) == sorted(names)
        assert [own.model.init_args["note"] for own in scores_called(scores_of(found, small), names[0])] == [
            model.init_args["note"]
        ]

    def test_wandb_gets_a_step_for_each_cell(self, small: Budget) -> None:
        logged = logged_card(score(small, every_cell(100)))
        assert [step["cell"] for step in logged.steps] == list(range(1, NUM_CELLS + 1))
        assert {key for step in logged.steps for key in step} >= {"score/n50", "score/accuracy_2x"}
        assert logged.summary["size_low"] < logged.summary["size"] < logged.summary["size_high"]
        assert logged.config["protocol"] == "made-up.yaml" and logged.config["class_path"] == "ib_bench.models.LSTM"
        assert logged.run_id != logged_card(score(small, every_cell(100), accuracy=None)).run_id


class TestStanding:
    """The place of a score among those that ship with the package."""

    @pytest.fixture(autouse=True)
    def shipped(self, small: Budget, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("ib_bench.scoring.league._FOLDER", tmp_path)
        parts = [score_records("LSTM", every_cell(40)), score_records("GRU", every_cell(400))]
        parts.append(score_records("Oracle", every_cell(3)))
        write_archive(together(*parts), tmp_path / f"{small.protocol}.jsonl.gz")

    def placed(self, own: Budget, records: Records) -> Score:
        (found,) = among_shipped(scores_of(records, own), own)
        return found

    def test_every_form_of_the_card_shows_it(self, small: Budget) -> None:
        found = self.placed(small, score_records("RNN", every_cell(420)))
        assert found.standing is not None and str(found.standing.rank) == "2-3" and found.standing.num_models == 3
        for text in (card_text(found), card_markdown(found), card_figure(found).svg):
            assert "2-3" in text and "among 3 models: this one and the shipped" in " ".join(text.split())
        assert card_json(found)["standing"] == {"rank": [2, 3], "num_models": 3, "by": "mean N50"}
        assert {"rank_best": 2, "rank_worst": 3, "rank_of": 3}.items() <= logged_card(found).summary.items()

    def test_the_same_model_is_not_counted_twice(self, small: Budget) -> None:
        found = self.placed(small, score_records("LSTM", every_cell(4000)))
        assert found.standing is not None and (str(found.standing.rank), found.standing.num_models) == ("2", 2)

    @pytest.mark.parametrize(
        ("model", "n50", "accuracy"),
        [("RNN", {"outcome": 100.0}, None), ("Majority", every_cell(math.inf), 0.5)],
    )
    def test_a_part_of_a_score_and_a_yardstick_have_none(
        self, small: Budget, model: str, n50: dict[str, float], accuracy: float | None
    ) -> None:
        found = self.placed(small, score_records(model, n50, accuracy))
        assert found.standing is None and "standing" not in card_json(found) and "rank" not in card_text(found)

    def test_without_shipped_scores_there_is_none(self, tmp_path: Path) -> None:
        large = budget(tmp_path, "large")
        found = self.placed(large, Records.of_all([_of_large(curve(Point("GRU", OUTCOME), 40))]))
        assert found.is_complete and found.standing is None

    def test_the_league_prints_cards(
        self, small: Budget, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.chdir(tmp_path)
        arguments = ["league", "--protocol", "made-up.yaml", "--budget", "small", "--card", "GRU"]
        assert main([*arguments, "--out", "gru.md", "--format", "json"]) == 0
        card = json.loads(capsys.readouterr().out)
        assert card["model"]["name"] == "GRU(hidden_size=8)"
        assert card["standing"] == {"rank": [2, 2], "num_models": 2, "by": "mean N50"}
        assert "| rank" in (tmp_path / "gru.md").read_text()
        for wrong, said in (
            (["--card", "GUR"], "unknown model 'GUR'"),
            (["--format", "csv"], "format must be table, markdown or json for a card"),
            (["--out", "gru.csv"], "out must be a name that ends in .svg, .md, .json"),
        ):
            assert main([*arguments, *wrong]) == 2
            assert said in capsys.readouterr().err

    def test_a_whole_name_counts_more_than_the_start_of_one(self, small: Budget) -> None:
        parts = [score_records("LSTM", every_cell(40), hidden_size=size) for size in (8, 80)]
        found = scores_of(together(*parts), small)
        names = [score.name for score in found]
        assert [score.name for score in scores_called(found, "LSTM")] == names
        assert [score.name for score in scores_called(found, names[0])] == [names[0]]
        assert scores_called(found, "LST") == []


class TestLeague:
    def test_models_are_ranked_by_their_score(self, small: Budget) -> None:
        parts = [score_records("LSTM", every_cell(400)), score_records("GRU", every_cell(40))]
        parts.append(score_records("RNN", every_cell(420)))
        own = league({"here": together(*parts)}, small)
        assert [(place.score.model.class_name, str(place.rank)) for place in own.places] == [
            ("GRU", "1"),
            ("LSTM", "2-3"),
            ("RNN", "2-3"),
        ]
        chances = [place.probability for place in own.places]
        assert (
            chances[0] == pytest.approx(1) and chances[1] is not None and 0.5 < chances[1] < 0.9 and chances[2] is None
        )

    def test_yardsticks_are_rows_without_a_rank(self, small: Budget) -> None:
        parts = [score_records("Oracle", every_cell(3)), score_records("LSTM", every_cell(40))]
        parts.append(score_records("Majority", every_cell(math.inf)))
        own = league({"here": together(*parts)}, small)
        assert [row[0] for row in row_texts(own)] == ["ceiling", "1", "chance"]
        assert [place.rank is None for place in own.places] == [True, False, True]

    def test_a_partial_score_has_a_wide_range(self, small: Budget) -> None:
        parts = [score_records("LSTM", every_cell(40)), score_records("GRU", every_cell(300))]
        parts.append(score_records("RNN", {"outcome": 40}, accuracy=None))
        own = league({"here": together(*parts)}, small)
        ranks = {place.score.model.class_name: str(place.rank) for place in own.places}
        assert ranks == {"LSTM": "1-2", "GRU": "2-3", "RNN": "1-3"}
        assert "1 of 8" in {row[2] for row in row_texts(own)}

    @pytest.mark.parametrize(
        ("sort", "first"),
        [
            ("size", "GRU"),
            ("kappa", "LSTM"),
            ("accuracy_2x", "LSTM"),
            ("abelian_outcome", "GRU"),
            ("parameters", "GRU"),
        ],
    )
    def test_the_number_to_rank_by_is_chosen_and_named(self, sort: str, first: str, small: Budget) -> None:
        parts = [score_records("LSTM", every_cell(400, kappa=3), 0.9), score_records("GRU", every_cell(40), 0.1)]
        own = league({"here": together(*parts)}, small, sort)
        assert own.places[0].score.model.class_name == first
        table = league_table(own)
        assert table.columns[2] == own.number.title and table.note.startswith(f"Sorted by {own.number.title} (")
        assert "GRU" in league_figure(own).svg
        assert json.loads(json_text(league_json(own)))["sort"] == sort

    def test_a_cell_above_the_largest_size_is_worse_than_a_known_one_and_drawn_as_a_bound(self, small: Budget) -> None:
        parts = [score_records("LSTM", {**every_cell(64), "outcome": math.inf}), score_records("GRU", every_cell(64))]
        own = league({"here": together(*parts)}, small, "abelian_outcome")
        assert [str(place.rank) for place in own.places] == ["1", "2"]
        ((_, bound),) = league_figure(own).spec["datasets"].values()
        assert (bound["low"], bound["median"], bound["high"], bound["is_bound"]) == (4096, 4096, 4096, True)

    def test_an_interval_without_an_upper_end_follows_the_known_ones_and_is_drawn_to_the_largest_size(
        self, small: Budget
    ) -> None:
        parts = [score_records("LSTM", every_cell(64)), score_records("GRU", every_cell(3000))]
        open_ended = [
            replace(record, estimate=replace(record.estimate, n50=Sizes(2325.0, None, None)))
            if isinstance(record, CurveRecord) and record.estimate is not None and record.labels.model == "LSTM"
            else record
            for record in parts[0]
        ]
        own = league({"here": together(Records.of_all(open_ended), parts[1])}, small, "abelian_outcome")
        assert [place.score.model.class_name for place in own.places] == ["GRU", "LSTM"]
        assert [str(place.rank) for place in own.places] == ["1-2", "1-2"]
        ((_, bound),) = league_figure(own).spec["datasets"].values()
        assert (bound["low"], bound["median"], bound["high"], bound["is_bound"]) == (2325, 4096, 4096, True)

    def test_times_of_several_devices_are_named_and_never_ranked(self, small: Budget) -> None:
        parts = [score_records("LSTM", every_cell(400)), score_records("GRU", every_cell(40))]
        on_gpu = [
            replace(record, environment={"device": "cuda:0"}) if isinstance(record, TrialRecord) else record
            for record in parts[1]
        ]
        sources = {"here": together(parts[0], Records.of_all(on_gpu))}
        table = league_table(league(sources, small))
        assert [row[table.columns.index("device")].text for row in table.rows] == ["cuda", "cpu"]
        with pytest.raises(BenchError, match=r"sort must be .* are from several \(cpu, cuda\), got 'step_ms'"):
            league(sources, small, "step_ms")
        moved = [record for record in parts[1] if isinstance(record, TrialRecord)][:1]
        moved = [replace(record, environment={"device": "cuda:0"}) for record in moved]
        rest = [record for record in parts[1] if record.key != moved[0].key]
        with pytest.raises(BenchError, match=r"are from several \(cpu, cuda\)"):
            league({"here": Records.of_all([*rest, *moved])}, small, "step_ms")
        league({"here": parts[0]}, small, "step_ms")

    def test_an_unknown_number(self, small: Budget) -> None:
        with pytest.raises(BenchError, match="unknown number to sort by 'szie', did you mean 'size'"):
            league({}, small, "szie")

    def test_a_model_without_the_number_has_no_rank(self, small: Budget) -> None:
        parts = [score_records("LSTM", every_cell(40)), score_records("GRU", {"outcome": 40}, accuracy=None)]
        own = league({"here": together(*parts)}, small, "kappa")
        assert [(place.score.model.class_name, str(place.rank or "")) for place in own.places] == [
            ("LSTM", "1"),
            ("GRU", ""),
        ]

    def test_own_scores_stand_beside_others(self, small: Budget) -> None:
        sources = {"shipped": score_records("LSTM", every_cell(400)), "mine": score_records("LSTM", every_cell(40))}
        assert [row[:3] for row in row_texts(league(sources, small))] == [
            ["1", "LSTM(hidden_size=8)", "mine"],
            ["", "LSTM(hidden_size=8)", "shipped"],  # no model is ranked against itself
        ]
        sources["shipped"] = together(sources["shipped"], score_records("GRU", every_cell(100)))
        own = league(sources, small)
        assert [(str(place.rank or ""), place.source) for place in own.places] == [
            ("1", "mine"),
            ("2", "shipped"),
            ("", "shipped"),
        ]
        part = {**sources, "mine": score_records("LSTM", {"outcome": 40}, accuracy=None)}
        assert [place.source for place in league(part, small).places if place.rank is None] == ["mine"]

    def test_a_model_of_two_sources_counts_once_and_has_a_line_for_each(self, small: Budget) -> None:
        one, other = score_records("LSTM", every_cell(40)), score_records("LSTM", every_cell(400))
        part = score_records("LSTM", {"outcome": 40}, accuracy=None)
        sources = {"shipped": other, "mine": one, "sent": other, "part": part}
        own = league({**sources, "more": score_records("GRU", every_cell(100))}, small)
        ranks = {place.source: str(place.rank or "") for place in own.places}
        assert ranks == {"mine": "1", "more": "2", "part": "", "shipped": "", "sent": ""}
        (rows,) = league_figure(own).spec["datasets"].values()
        names = [row["row"] for row in rows]
        assert len(set(names)) == 5 and "1  LSTM (mine)" in names
        (alone,) = league_figure(league({"mine": one}, small)).spec["datasets"].values()
        assert [row["row"] for row in alone] == ["1  LSTM"]

    def test_the_shipped_scores_are_those_of_the_protocol(
        self, small: Budget, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr("ib_bench.scoring.league._FOLDER", tmp_path)
        monkeypatch.chdir(tmp_path)
        arguments = ["league", "--protocol", "made-up.yaml", "--budget", "small", "--format", "json"]
        assert shipped_archive(small.protocol) is None and main(arguments) == 2
        write_archive(score_records("LSTM", every_cell(400)), tmp_path / f"{small.protocol}.jsonl.gz")
        capsys.readouterr()
        assert main(arguments) == 0
        assert [row["source"] for row in json.loads(capsys.readouterr().out)["rows"]] == ["shipped"]
        assert main([*arguments, "--own_only"]) == 2

    def test_a_report_shows_the_leagues_in_which_a_score_is_complete(
        self, small: Budget, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("ib_bench.scoring.league.shipped_budgets", lambda: [small])
        complete, partial = score_records("LSTM", every_cell(400)), score_records("GRU", {"outcome": 100}, None)
        assert shipped_leagues({"mine": partial}, with_shipped=False) == []
        (own,) = shipped_leagues({"mine": together(complete, partial)}, with_shipped=False)
        report = study_report({"mine": complete}, leagues=[own])
        assert (report.tables[0].name, report.figures[0].name) == (own.name, own.name)
        assert report.tables[0].protocol == small.title
        assert f'id="{own.name}"' in report.html and f'id="figure-{own.name}"' in report.html

    def test_every_shipped_budget_can_be_read(self) -> None:
        assert [own.title for own in shipped_budgets()] == ["score-v1, budget laptop", "score-v1, budget gpu"]

    def test_the_shipped_scores_are_complete(self) -> None:
        (own,) = shipped_leagues({}, with_shipped=True)
        assert own.budget.title == "score-v1, budget laptop"
        assert all(place.score.is_complete for place in own.places)
        contestants = [place.score.model.class_name for place in own.places if not place.score.kind]
        assert {"LSTM", "GRU", "DenseSSM", "Transformer"} <= set(contestants)

    def test_a_sentence_says_who_is_first_and_where_ones_own_models_stand(self, tmp_path: Path) -> None:
        shipped, own = score_records("LSTM", every_cell(50.0)), score_records("GRU", every_cell(400.0))
        said = league_sentence(league({"shipped": shipped, "mine": own}, budget(tmp_path)))
        assert said.count(";") == 1 and "the first of 2 models; GRU" in said and said.endswith("has rank 2.")
        alone = league_sentence(league({"mine": own}, budget(tmp_path)))
        assert "GRU" in alone and "models" not in alone
        assert league_sentence(league({"mine": Records()}, budget(tmp_path))) == ""

    def test_the_surprising_numbers_in_the_readme_are_those_of_the_records(self) -> None:
        text = " ".join((Path(scoring.__file__).parent / "README.md").read_text(encoding="utf-8").split())
        (own,) = shipped_leagues({}, with_shipped=True)
        by_name: dict[str, Score] = {}
        for place in own.places:
            by_name.setdefault(place.score.name.partition("(")[0], place.score)  # of variants, the one in front
        numbers = {number.name: number for number in numbers_of(own.budget)}
        far = {
            (name, record.labels.task): record.accuracies[-1].normalized_final_state_accuracy
            for name, score in by_name.items()
            for record in score.records.values()
            if isinstance(record, ExtrapolationRecord)
        }
        assert f"{far['DenseSSM', 'ModularAddition']:.2f} at 80 symbols" in text
        dense, transformer = numbers["accuracy_8x"].text(by_name["DenseSSM"]), numbers["accuracy_2x"]
        assert f"DenseSSM, {dense.partition(' ')[0]} at 8 L" in text
        assert f"SLiCE, {numbers['accuracy_8x'].text(by_name['SLiCE']).partition(' ')[0]} at 8 L" in text
        assert f"flip-flop ({far['SLiCE', 'FlipFlop']:.2f})" in text
        for name in ("SDSSM", "PDSSM", "SLSTM"):
            assert f"{name}, {transformer.text(by_name[name]).partition(' ')[0]} at 2 L" in text
        learns_all = [
            name
            for name, score in by_name.items()
            if not score.kind and not any(score.record(cell).censored for cell in own.budget.of("size"))
        ]
        assert learns_all == ["SLiCE"] and "the only model that learns all ten cells" in text
        assert by_name["Transformer"].model.init_args.get("num_loops") is None
        assert f"Transformer, {transformer.text(by_name['Transformer']).partition(' ')[0]} at 2 L" in text
        kappa = numbers["kappa"].text(by_name["GRU"])
        assert f"up to {kappa.rpartition(' ')[2].rstrip(']')}" in text
        assert not numbers["kappa"].text(by_name["Transformer"])
        steps = [
            round(record.estimate.n50.median)
            for name, score in by_name.items()
            if name == "Mamba2"
            for record in score.records.values()
            if isinstance(record, CurveRecord) and record.labels.supervision == "chain_of_thought"
        ]
        both = f"learn it from {min(steps)} to {max(steps)} sequences"
        assert both in text and f"{transformer.text(by_name['Mamba2']).partition(' ')[0]} at 2 L.*" in text
        assert f"{far['Mamba2', 'FlipFlop']:.2f} also at 8 L" in text
        (declines,) = re.findall(r"larger sets do worse \(not solvable, outcome\): (.*)", card_text(by_name["LSTM"]))
        assert declines == "4 of 8 runs succeed at N = 362 to 1,448, but 0 of 7 at N = 4,096"
        assert "4 of 8 runs succeed at 362 to 1,448 sequences, and 0 of 7 at 4,096" in text

    @pytest.mark.parametrize(
        ("model", "text"),
        [
            ("RWKV7", "{:.3f} (RWKV-7)"),
            ("DeltaNet(negative_eigenvalues=True)", "{:.3f} (DeltaNet with negative eigenvalues)"),
        ],
    )
    def test_the_losses_in_the_readme_are_those_of_the_records(self, model: str, text: str) -> None:
        (own,) = shipped_leagues({}, with_shipped=True)
        (score,) = (place.score for place in own.places if place.score.name == model)
        (cell,) = (
            cell
            for cell in own.budget.of("slope")
            if cell.data.presentation.max_length == 10 and "size" in cell.measures
        )
        trials = score.trials_of(score.record(cell))
        largest = [trial for trial in trials if trial.config.num_train_sequences == cell.max_size]
        assert not any(trial.succeeded for trial in largest)
        readme = " ".join((Path(scoring.__file__).parent / "README.md").read_text(encoding="utf-8").split())
        assert text.format(min(trial.best_val_loss for trial in largest)) in readme

    def test_the_readme_shows_the_top_of_the_shipped_league(self) -> None:
        (own,) = shipped_leagues({}, with_shipped=True)
        table = league_table(own)
        wanted = [table.columns.index(name) for name in ("rank", "model", "mean N50", "kappa", "at 8 L")]
        rows = [[row[column].text for column in wanted] for row in table.rows if row[0].text[:1].isdigit()]
        readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
        lines = readme.partition("| rank | model |")[2].partition("\n\n")[0].splitlines()[2:]
        shown = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
        assert shown
        for (rank, model, *numbers), (of_rank, name, *expected) in zip(shown, rows[: len(shown)], strict=True):
            assert [rank, *numbers] == [of_rank, *expected]
            assert model.partition(",")[0] in name

    def test_numbers_of_two_budgets_never_meet(self, small: Budget, tmp_path: Path) -> None:
        large = budget(tmp_path, "large")
        records = together(
            score_records("LSTM", every_cell(400)),
            Records.of_all([_of_large(curve(Point("GRU", OUTCOME), 40))]),
        )
        names = [
            [place.score.model.class_name for place in league({"": records}, own).places] for own in (small, large)
        ]
        assert names == [["LSTM"], ["GRU"]]

    def test_a_complete_score_counts_before_one_that_is_not(self, small: Budget) -> None:
        """Wherever they are from; of two incomplete ones your own."""
        cells = every_cell(400)
        part = score_records("LSTM", {name: size for name, size in cells.items() if name != "outcome"})
        own = league({SHIPPED: score_records("LSTM", cells), "here": part}, small)
        assert {place.source: place.rank is not None for place in own.places} == {SHIPPED: True, "here": False}
        own = league({SHIPPED: part, "here": part, "there": part}, small)
        assert [place.source for place in own.places if place.rank is not None] == ["here"]

    def test_every_form_names_protocol_and_budget(self, small: Budget) -> None:
        own = league({"here": score_records("LSTM", every_cell(400))}, small)
        table = league_table(own)
        title = "made-up.yaml, budget small"
        for text in (markdown(table), latex(table).replace("\\_", "_"), league_figure(own).svg):
            assert title in text
        (row,) = csv.DictReader(io.StringIO(comma_separated(table)))
        assert row["protocol"] == title and row["rank"] == "1"
        told = league_json(own)
        assert (told["protocol"], told["budget"], told["rows"][0]["rank"]) == ("made-up.yaml", "small", [1, 1])


def _curve(found: Score) -> CurveRecord:
    return next(record for record in found.records.values() if isinstance(record, CurveRecord))


def _of_large(record: Any) -> Any:
    """The record as the other budget would have it."""
    search = replace(record.config.search, max_size=65536, seeds=[10, 20, 30, 40, 50])
    config = replace(record.config, search=search)
    return replace(record, key=config.key, config=config)
