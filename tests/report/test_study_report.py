"""The report on an empty, a partial and a full store; every number in it is a record's."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import yaml
from made_up_records import ACOT, COT, OUTCOME, Point, curve, extrapolation, paper_like, saturation, search, trial
from made_up_scores import budget, every_cell, score_records
from rich.console import Console

from ib_bench import catalogue
from ib_bench.drawing.columns import json_row
from ib_bench.drawing.labels import model_texts
from ib_bench.drawing.study import Study
from ib_bench.drawing.tables import StudyTable, latex, markdown, rich_table
from ib_bench.errors import BenchError
from ib_bench.quantities.extrapolation.figures import rank_correlation
from ib_bench.quantities.extrapolation.record import ExtrapolationRecord, ExtrapolationSettings
from ib_bench.quantities.extrapolation.tables import accuracy_listing, measured
from ib_bench.quantities.search.record import SearchRecord
from ib_bench.quantities.sharing.record import Sharing
from ib_bench.report.html import page_data
from ib_bench.report.study_report import StudyReport, study_report
from ib_bench.results.archive import Records
from ib_bench.results.identity import Json
from ib_bench.results.records import ClassSpec, Record
from ib_bench.scoring.league import league
from ib_bench.studies.claims import check_claims


def test_every_table_names_the_version_of_the_paper() -> None:
    report = study_report({"own": Records.of_all([search(Point("LSTM", ACOT), 128)])})
    assert {table.protocol for table in report.tables} == {"paper v1 (arXiv 2602.18333, February 2026)"}
    assert report.html.count("protocol: paper v1") >= 1


def tables_of(*records: Record, reference: Records | None = None) -> dict[str, StudyTable]:
    sources = {"own": Records.of_all(records), **({} if reference is None else {"reference": reference})}
    return {table.name: table for table in study_report(sources).tables}


def study(*records: Record, reference: Records | None = None) -> Study:
    sources = {"own": Records.of_all(records), **({} if reference is None else {"reference": reference})}
    return study_report(sources).study


def cells(table: StudyTable) -> list[list[str]]:
    return [[entry.text for entry in row] for row in table.rows]


def report(records: Records, folder: Path, chosen: str | None = None) -> Path:
    return study_report({"own": records}, chosen).write(folder)


def with_settings(record: SearchRecord, **changes: Any) -> SearchRecord:
    config = replace(record.config, settings=replace(record.config.settings, **changes))
    return replace(record, config=config, key=config.key)


SEARCHES = [
    search(Point("LSTM", ACOT), 128),
    search(Point("Transformer", ACOT), None),
    search(Point("LSTM", ACOT, "fixed", 2), None, max_size=0),
    search(Point("LSTM", ACOT, "fixed", 3), 40),
    search(Point("LSTM", ACOT, "fixed", 4), 30),
]
EXTRAPOLATIONS = [extrapolation(Point("LSTM", ACOT), 0.75), extrapolation(Point("LSTM", COT), 0.5)]
PARTIAL = Records.of_all([trial(Point("LSTM", ACOT), 4096), *SEARCHES, *EXTRAPOLATIONS])
NAMES = ("search", "search", "curve", "extrapolate", "extrapolate")


@cache
def full_report() -> StudyReport:
    """Of a full store; several tests look at it."""
    return study_report({"own": paper_like()})


@cache
def report_beside_full() -> StudyReport:
    """Of a partial store beside a full one."""
    return study_report({"own": PARTIAL, "reference": paper_like()})


class TestTables:
    def test_min_train_size_has_a_column_for_each_model(self) -> None:
        table = tables_of(*PARTIAL)["min_train_size"]
        assert table.columns == ["lengths", "LSTM", "Transformer"]
        assert table.title == "Minimal training set size N*: ModularAddition(modulus=5), L=4, aligned CoT"
        assert cells(table) == [["fixed", "30", ""], ["uniform", "128", "> 4,096"]]
        assert table.rows[1][1].key == SEARCHES[0].key

    def test_an_exhausted_pool_is_told_apart_from_a_spent_budget_in_tables_and_figures(self) -> None:
        exhausted, spent = search(Point("LSTM", ACOT), None, max_size=20), search(Point("DenseSSM", ACOT), None)
        extrapolated = [extrapolation(Point("LSTM", ACOT), 0.75), extrapolation(Point("DenseSSM", ACOT), 0.75)]
        extrapolated[0] = replace(extrapolated[0], num_train_sequences=20)
        of_curve = replace(curve(Point("LSTM", ACOT), math.inf, max_size=20), pool_size=20)
        records = [exhausted, spent, of_curve, *extrapolated]
        tables = tables_of(*records)
        assert cells(tables["min_train_size"])[0][1:] == ["> 4,096", "> all 20 that exist"]
        assert cells(tables["n50"])[0][-1] == "> all 20 that exist"
        rows = [json_row(record, catalogue.quantity(name).columns) for name, record in zip(NAMES, records, strict=True)]
        names = [*["pool_exhausted"] * 3, *["trained_on_all"] * 2]
        assert [row[name] for row, name in zip(rows, names, strict=True)] == [True, False, True, True, False]
        found = study_report({"own": Records.of_all(records)}).figures
        drawn = {figure.name: json.dumps(figure.spec) for figure in found}
        with_word = {name for name, spec in drawn.items() if '"is_all": true' in spec and "all: no more" in spec}
        of_n = {f"min_train_size_{what}" for what in ("against_length", "against_states", "heatmap")}
        assert with_word == {*of_n, "success_curves"}
        assert '"cell": "all 20"' in drawn["min_train_size_heatmap"]
        printed = io.StringIO()
        Console(file=printed, width=200).print(accuracy_listing(extrapolated[0]))
        assert "trained on all 20 that exist; solves" in printed.getvalue()

    def test_lengths_measured_only_for_kappa_are_left_out(self) -> None:
        (table,) = (table for table in full_report().tables if table.name == "min_train_size")
        assert {row[1].text for row in table.rows} == {"4", "8"}
        assert len(table.rows) == 5 * 2 * 3 * 3  # moduli, lengths, regimes, distributions

    def test_so_they_are_where_the_joint_search_leaves_short_lengths_out(self) -> None:
        joint = search(Point("LSTM", ACOT), 100)
        config = replace(joint.config, experiment=joint.config.experiment.with_data(min_length=3))
        tables = tables_of(*SEARCHES[3:], replace(joint, config=config, key=config.key))
        assert [row[-1] for row in cells(tables["min_train_size"])] == ["30", "100"]
        assert cells(tables["kappa"])[0][-1] == "0.70"

    def test_kappa_and_its_parts(self) -> None:
        tables = tables_of(*PARTIAL)
        assert cells(tables["kappa"]) == [["ModularAddition(modulus=5)", "\N{GREATER-THAN OR EQUAL TO} 0.55 (1 of 3)"]]
        parts = tables["kappa_parts"]
        kappas = ["kappa", "exhausted", "not exhausted"]
        assert parts.columns == ["task", *kappas, "N* together", "sum alone", "n=2", "n=3", "n=4"]
        texts = ["\N{GREATER-THAN OR EQUAL TO} 0.55", "1 of 3", "0.55", "128"]
        sizes = ["\N{GREATER-THAN OR EQUAL TO} 71", "none held out", "40", "30"]
        assert cells(parts)[0][1:] == [*texts, *sizes]

    def test_kappa_with_a_saturated_evaluation(self) -> None:
        bound = "\N{GREATER-THAN OR EQUAL TO} 0.55"
        exhausted = next(one for one in SEARCHES if not one.max_size)
        saturated = tables_of(*PARTIAL, saturation(exhausted, 25, succeeded=True))["kappa_parts"]
        texts = dict(zip(saturated.columns, cells(saturated)[0], strict=True))
        assert (texts["kappa"], texts["n=2"]) == ("0.55 to 0.75", "1 to 25 (saturated)")
        assert "saturated: with all sequences that exist" in saturated.note
        lacking = tables_of(*PARTIAL, saturation(exhausted, 25, succeeded=False))["kappa_parts"]
        texts = dict(zip(lacking.columns, cells(lacking)[0], strict=True))
        assert (texts["kappa"], texts["n=2"]) == (bound, "none held out (budget missing)")
        assert "budget missing: even with all sequences" in lacking.note
        latex_text = latex(tables_of(*PARTIAL)["kappa"])
        assert r"\ensuremath{\geq} 0.55" in latex_text

    def test_extrapolation_at_twice_the_length(self) -> None:
        table = tables_of(*PARTIAL)["extrapolation"]
        assert [row[-2:] for row in cells(table)] == [["CoT", "0.50"], ["aligned CoT", "0.75"]]

    def test_sources_stand_side_by_side(self) -> None:
        (table,) = (table for table in report_beside_full().tables if table.name == "min_train_size")
        assert {row[0].text for row in table.rows} == {"own", "reference"}

    def test_searches_of_other_settings_are_rows_of_their_own(self) -> None:
        one = search(Point("LSTM", ACOT), 128)
        other = with_settings(search(Point("LSTM", ACOT), 16), threshold=0.5)
        table = tables_of(one, other)["min_train_size"]
        assert cells(table) == [["threshold=0.0001", "128"], ["threshold=0.5", "16"]]

    def test_the_page_has_short_names_for_settings_and_explains_them(self) -> None:
        records = [search(Point("LSTM", ACOT), 16), with_settings(search(Point("LSTM", ACOT), 16), threshold=0.5)]
        page = study_report({"own": Records.of_all(records)}).html
        (table,) = (one for one in page_data(page)["tables"] if one["name"] == "min_train_size")
        place = table["columns"].index("setting")
        assert {row[place][0] for row in table["rows"]} == {"setting\N{NO-BREAK SPACE}1", "setting\N{NO-BREAK SPACE}2"}
        assert "setting 1: threshold=0.0001; setting 2: threshold=0.5" in page

    def test_extrapolations_of_other_settings_are_rows_of_their_own(self) -> None:
        one, other = extrapolation(Point("LSTM", ACOT), 0.75), extrapolation(Point("LSTM", ACOT), 0.25)
        config = replace(other.config, settings=replace(other.config.settings, num_sequences=5))
        other = replace(other, config=config, key=config.key)
        tables = tables_of(search(Point("LSTM", ACOT), 9), other, one)
        assert cells(tables["extrapolation"]) == [["num_sequences=1000", "0.75"], ["num_sequences=5", "0.25"]]
        assert cells(tables["min_train_size"])[0][-1] == "9" and "setting" not in tables["min_train_size"].columns

    def test_a_changed_source_is_a_row_of_its_own(self) -> None:
        one = search(Point("LSTM", ACOT), 128)
        records = []
        for digest in ("aaaaaaaaa", "bbbbbbbbb"):
            experiment = replace(one.config.experiment, source_digests={"mine.GRU": digest})
            config = replace(one.config, experiment=experiment)
            records.append(replace(one, config=config, key=config.key))
        table = tables_of(*records)["min_train_size"]
        assert cells(table) == [["code of mine.GRU=aaaaaa", "128"], ["code of mine.GRU=bbbbbb", "128"]]

    def test_a_mixer_of_ones_own_is_always_named(self) -> None:
        base = search(Point("LSTM", ACOT), 128)
        records = []
        for mixer, digest in (("mine.A", "a" * 32), ("mine.A", "b" * 32), ("mine.B", "b" * 32)):
            model = ClassSpec("ib_bench.models.MixerModel", {"mixer": mixer})
            experiment = replace(base.config.experiment, model=model, source_digests={mixer: digest})
            config = replace(base.config, experiment=experiment)
            records.append(replace(base, config=config, key=config.key))
        a, b = "MixerModel@aaaaaa(mixer=mine.A)", "MixerModel@bbbbbb(mixer=mine.A)"
        assert model_texts(records) == [a, b, "MixerModel(mixer=mine.B)"]
        assert model_texts(records[:1]) == ["MixerModel(mixer=mine.A)"]

    def test_models_of_ones_own_stand_beside_the_shipped_ones(self) -> None:
        shipped = search(Point("LSTM", ACOT), 128)
        records = [shipped]
        own = (("mine.LSTM", "a" * 32, 64), ("mine.LSTM", "b" * 32, 32), ("other.LSTM", "c" * 32, 16))
        for path, digest, size in own:
            experiment = replace(shipped.config.experiment, model=ClassSpec(path), source_digests={path: digest})
            config = replace(search(Point("LSTM", ACOT), size).config, experiment=experiment)
            records.append(replace(search(Point("LSTM", ACOT), size), config=config, key=config.key))
        table = tables_of(*records)["min_train_size"]
        assert {"LSTM", "mine.LSTM@aaaaaa", "mine.LSTM@bbbbbb", "other.LSTM"} <= set(table.columns)
        assert [sorted(row, key=len) for row in cells(table)] == [
            ["64", "32", "16", "128", "ModularAddition(modulus=5)"]
        ]

    def test_what_a_user_asked_for_is_shown_beside_the_parts_of_kappa(self) -> None:
        longer = search(Point("LSTM", ACOT, "fixed", 6), 16)
        table = tables_of(*PARTIAL, longer)["min_train_size"]
        assert ["6", "fixed", "16", ""] in cells(table) and len(table.rows) == 3  # n = 2 and 3 are parts alone

    def test_other_learning_rates_in_another_source_are_no_other_setting(self) -> None:
        other = with_settings(search(Point("LSTM", ACOT, modulus=3), 10), learning_rates=[0.7])
        results = study(other, reference=PARTIAL)
        assert {one.label.group for one in results.shown(SearchRecord)} == {"own", "reference"}
        both = study(other, *SEARCHES)
        named = {(one.label.model, one.label.setting) for one in both.shown(SearchRecord)}
        assert named == {("LSTM", "learning_rates=[0.7]"), ("LSTM", "learning_rates=[0.003]"), ("Transformer", "")}
        assert set(both.settings) == {"setting 1", "setting 2"}

    def test_other_learning_rates_at_another_budget_leave_models_side_by_side(self) -> None:
        other = [
            with_settings(search(Point(model, ACOT), 10), learning_rates=rates, threshold=0.5)
            for model, rates in (("LSTM", [0.7]), ("Transformer", [0.3]))
        ]
        shown = study(*other, *SEARCHES).shown(SearchRecord)
        assert {one.label.setting for one in shown} == {"threshold=0.5", "threshold=0.0001"}

    def test_a_figure_explains_the_settings_that_it_shows(self) -> None:
        (one,) = [with_settings(search(Point("LSTM", ACOT), 16), threshold=0.5)]
        both = study(one, *SEARCHES)
        name = next(shown.label.group for shown in both.shown(SearchRecord) if shown.result == one)
        assert both.settings_notes([{"group": f"own, {name}"}, {}]) == [f"{name}: threshold=0.5"]

    def test_multiples_are_those_that_were_asked_for(self) -> None:
        record = extrapolation(Point("LSTM", ACOT, max_length=5), 0.75)
        lengths = ExtrapolationSettings().lengths(5)
        record = replace(record, accuracies=[replace(record.accuracies[0], length=length) for length in lengths])
        assert [one.multiple for one in measured([record])] == ExtrapolationSettings().multiples  # 1.5 L is 8, not 7.5
        config = replace(record.config, settings=ExtrapolationSettings(multiples=[1.9, 2.0, 2.1]))
        at_2x = [replace(record.accuracies[0], length=10)]
        assert [one.multiple for one in measured([replace(record, config=config, accuracies=at_2x)])] == [2.0]

    def test_groups_are_told_apart_by_source_and_setting(self) -> None:
        results = report_beside_full().study
        assert {one.label.group for one in results.shown(SearchRecord)} == {"own", "reference"}
        assert {one.label.group for one in study(*PARTIAL).shown(ExtrapolationRecord)} == {""}

    def test_tasks_are_in_order_of_their_states(self) -> None:
        table = tables_of(*(search(Point("LSTM", ACOT, modulus=modulus), 9) for modulus in (10, 2, 5)))
        assert [row[0].text.partition("=")[2] for row in table["min_train_size"].rows] == ["2)", "5)", "10)"]

    def test_every_format_holds_every_number(self, tmp_path: Path) -> None:
        table = tables_of(*PARTIAL)["min_train_size"]
        console = Console(width=200, file=io.StringIO())
        console.print(rich_table(table))
        terminal = console.file.getvalue()  # type: ignore[attr-defined]
        linked = markdown(table, link=lambda key: f"{key}.yaml")
        for text in ("128", "> 4,096", "30"):
            assert text in terminal and text in latex(table).replace(r"\ensuremath{>}", ">") and f"[{text}](" in linked
        assert r"\toprule" in latex(table)
        report(PARTIAL, tmp_path)
        rows = list(csv.DictReader(io.StringIO((tmp_path / "tables" / "min_train_size.csv").read_text())))
        assert rows[1]["Transformer"] == "> 4,096"
        assert set(rows[1]["records"].split()) == {SEARCHES[0].key, SEARCHES[1].key}
        assert (rows[1]["task"], rows[1]["L"]) == ("ModularAddition(modulus=5)", "4")  # what all rows share

    def test_claims_of_an_empty_store_lack_data(self) -> None:
        texts = cells(tables_of()["claims"])
        assert len([row for row in texts if row[1] == "not enough data"]) == 10


def test_a_league_is_not_filtered_and_the_page_says_so(tmp_path: Path) -> None:
    records = score_records("LSTM", every_cell(400))
    page = study_report({"own": records}, leagues=[league({"own": records}, budget(tmp_path))]).html
    whole = {table["name"]: table["whole"] for table in page_data(page)["tables"]}
    assert [name for name, is_whole in whole.items() if is_whole] == ["league_made-up_yaml_small"] and len(whole) > 1
    assert page.count("The choice above does not filter this: ranks are among all models.") == 2  # table and figure


class Page(HTMLParser):
    """Ids, links and tags of a page; refuses unbalanced tables."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.sources: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if values.get("id"):
            self.ids.add(str(values["id"]))
        if tag == "a":
            self.links.append(str(values["href"]))
        self.sources += [str(values[name]) for name in ("src", "xlink:href") if name in values]
        if tag == "link":
            self.sources.append(str(values.get("href")))


def _values_of(spec: object) -> list[list[dict[str, str]]]:
    """The rows of all data sets of a Vega-Lite specification."""
    if isinstance(spec, list):
        return [rows for item in spec for rows in _values_of(item)]
    if not isinstance(spec, dict):
        return []
    own = list(spec.get("datasets", {}).values())
    return own + [rows for name, item in spec.items() if name != "datasets" for rows in _values_of(item)]


class TestFiles:
    def test_a_full_store(self, tmp_path: Path) -> None:
        path = full_report().write(tmp_path / "new" / "folder")
        figures = {file.name for file in (path.parent / "figures").iterdir()}
        names = (
            *("min_train_size_against_length", "min_train_size_against_states", "min_train_size_heatmap"),
            *("kappa", "extrapolation", "kappa_and_extrapolation", "losses", "success_curves", "growth"),
        )
        assert figures == {f"{name}.{ending}" for name in names for ending in ("svg", "png", "pdf")}
        for name in names:
            assert (path.parent / "figures" / f"{name}.png").stat().st_size > 10_000
        text = path.read_text(encoding="utf-8")
        page = Page(text)
        assert page.sources == []  # nothing is loaded from elsewhere
        assert all(link.startswith("#") and link[1:] in page.ids for link in page.links)
        data = page_data(text)
        keys = {
            entry[2] for table in data["tables"] for row in table["rows"] for entry in row if isinstance(entry, list)
        }
        assert len(keys - {None}) > 400 and keys - {None} <= set(data["cells"])
        assert all(cell["config"].startswith("# ib-bench ") for cell in data["cells"].values())
        checked = check_claims(paper_like())
        num_statements = sum(len(claim.statements) for claim in checked)
        assert text.count('class="verdict supported"') == num_statements + len(checked)
        listed = list(csv.DictReader(io.StringIO((path.parent / "tables" / "pairs.csv").read_text(encoding="utf-8"))))
        assert len(listed) == sum(len(statement.pairs) for claim in checked for statement in claim.statements)
        specs = data["specs"]
        assert len(specs) == 9
        values = [rows for spec in specs for rows in _values_of(spec)]
        assert len([spec for spec in specs if any(_values_of(spec))]) == 8  # one draws trials, which are not there
        assert not any('"empty"' in json.dumps(spec) for spec in specs)  # what Altair calls charts without data
        assert {row["href"][1:] for rows in values for row in rows if "href" in row} <= set(data["cells"])

    def test_a_partial_store(self, tmp_path: Path) -> None:
        text = report(PARTIAL, tmp_path).read_text(encoding="utf-8")
        texts = json.dumps(page_data(text)["tables"])
        assert "> 4,096" in texts and "none held out" in texts
        names = {path.stem for path in (tmp_path / "figures").iterdir()}
        assert names >= {"kappa", "min_train_size_against_length", "losses"}

    def test_an_empty_store(self, tmp_path: Path) -> None:
        text = report(Records(), tmp_path).read_text(encoding="utf-8")
        assert "There are no results yet" in text
        assert "vegaEmbed" not in text
        assert not (tmp_path / "figures").exists()

    def test_a_config_says_how_to_measure_again(self, tmp_path: Path) -> None:
        report(PARTIAL, tmp_path)
        text = (tmp_path / "configs" / f"{SEARCHES[0].key}.yaml").read_text()
        assert text.startswith("# ib-bench search --config configs/")
        config = yaml.safe_load(text)
        assert config["data"]["init_args"]["modulus"] == 5
        assert config["search"]["learning_rates"] == [0.003]
        measured = (tmp_path / "configs" / f"{EXTRAPOLATIONS[0].key}.yaml").read_text()
        assert measured.startswith("# ib-bench extrapolate") and yaml.safe_load(measured)["extrapolation"]

    def test_losses_of_a_chosen_search(self, tmp_path: Path) -> None:
        with pytest.raises(
            BenchError, match=r"search must be the key of one search, or its start \(it fits 0\), got 'zzz'"
        ):
            report(PARTIAL, tmp_path, chosen="zzz")
        assert list(tmp_path.iterdir()) == []
        report(PARTIAL, tmp_path, chosen=SEARCHES[0].key[:10])
        assert (tmp_path / "figures" / "losses.svg").exists()

    def test_labels_are_text_and_nothing_else(self, tmp_path: Path) -> None:
        evil = "<!--<script>$x^$\x1b[31m\n=1|"
        one = search(Point("LSTM", ACOT), 128)
        experiment = one.config.experiment.with_data(modulus=evil)
        config = replace(one.config, experiment=experiment)
        text = report(Records.of_all([replace(one, config=config, key=config.key)]), tmp_path).read_text("utf-8")
        assert text.count("<script") == 3 and "<!--" not in text.replace("<!DOCTYPE", "")
        assert "x^$" in json.dumps(page_data(text)["tables"])  # which the page writes as text
        assert "\x1b" not in text
        assert (tmp_path / "figures" / "min_train_size_against_length.png").exists()


def test_rank_correlation_leaves_bounds_out() -> None:
    shown = full_report().study.shown(Sharing)
    full: list[Json] = [
        {"kappa": one.result.factor.middle, "low": one.result.low, "accuracy": place % 7}
        for place, one in enumerate(shown)
        if one.result.factor.is_bounded
    ]
    assert re.match(r"Spearman's rho = -?0\.\d\d \(n = 89\)", rank_correlation(full))
    bounds = [{"kappa": row["kappa"], "accuracy": row["accuracy"]} for row in full]
    assert rank_correlation(bounds).startswith("0 kappas with both ends")
    assert "too few" in rank_correlation(full[:2])


def test_outcome_reads_as_in_the_glossary() -> None:
    table = tables_of(search(Point("LSTM", OUTCOME), 9), search(Point("LSTM", COT), 9))
    assert [row[0] for row in cells(table["min_train_size"])] == ["outcome", "CoT"]
