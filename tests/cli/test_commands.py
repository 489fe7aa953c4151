"""The commands as a user calls them."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ib_bench import __version__
from ib_bench.cli import commands, grouped_commands, main
from ib_bench.quantities.search.futility import back_test
from ib_bench.results.reference import reference_records

SEARCH = [
    *("search", "--model", "DenseSSM", "--model.hidden_size", "16"),
    *("--data", "ModularAddition", "--data.modulus", "3", "--data.max_length", "4"),
    *("--search.learning_rates", "[0.01]", "--search.seeds", "[10]", "--search.threshold", "0.05"),
    *("--search.max_steps", "300", "--search.max_size", "64", "--search.max_evaluations", "3"),
    *("--search.multiplier", "4", "--wandb.mode", "disabled"),
]

FIT = [
    *("--model", "LSTM", "--model.hidden_size", "8", "--data", "ModularAddition", "--data.max_length", "4"),
    *("--data.num_train_sequences", "100", "--trainer.accelerator", "cpu"),
    *("--trainer.enable_progress_bar", "false", "--trainer.enable_checkpointing", "false"),
    *("--trainer.log_every_n_steps", "1"),
]

OWN_MODEL = """
from torch import nn

from ib_bench.models.sequence_model import SequenceModel


class GRU(SequenceModel):
    def __init__(self, vocab_size: int, num_classes: int, hidden_size: int = 64, learning_rate: float = 1e-3):
        super().__init__(num_classes, learning_rate)
        self.embedding = nn.Embedding(vocab_size, hidden_size)
        self.gru = nn.GRU(hidden_size, hidden_size, batch_first=True)
        self.head = nn.Linear(hidden_size, num_classes)

    def forward(self, tokens):
        return self.head(self.gru(self.embedding(tokens))[0])
"""

OWN_TASK = """
import torch

from ib_bench.data.state_tracking_data import data_module_of
from ib_bench.tasks.finite_state_machine import Example, FiniteStateMachine


class Toggle(FiniteStateMachine):
    def __init__(self, num_switches: int = 2) -> None:
        self.num_symbols, self.num_states = num_switches, 2**num_switches

    def _build_transition(self):
        states = torch.arange(self.num_states)[:, None]
        return states ^ (1 << torch.arange(self.num_symbols))

    @classmethod
    def examples(cls):
        return [Example(cls(), [0, 1, 1], [1, 3, 1])]


ToggleData = data_module_of(Toggle)
"""


@pytest.fixture(autouse=True)
def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    monkeypatch.delitem(sys.modules, "my_models", raising=False)  # of another test's folder
    return tmp_path


def ib_bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Through the installed entry point, in a process of its own."""
    command = [str(Path(sys.executable).parent / "ib-bench"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)


def results(capsys: pytest.CaptureFixture[str], command: str = "results", *options: str) -> list[dict[str, object]]:
    capsys.readouterr()
    assert main([command, *options, "--format", "json"]) == 0
    return json.loads(capsys.readouterr().out)  # type: ignore[no-any-return]


class TestQuickCommands:
    @pytest.mark.parametrize("arguments", [["--version"], ["ls"], ["--help"]])
    def test_they_do_not_import_torch(self, arguments: list[str]) -> None:
        code = (
            "import sys\nfrom ib_bench.cli import main\n"
            f"try: code = main({arguments!r})\nexcept SystemExit as end: code = end.code\n"
            "assert not code, code\n"
            "assert not {'torch', 'lightning', 'wandb', 'matplotlib'} & set(sys.modules)\n"
        )
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stderr

    def test_results_and_trials_do_not_either(self) -> None:
        code = (
            "import sys\nfrom ib_bench.cli import main\n"
            "from ib_bench.results.store import Store\nStore('ib_bench.sqlite').close()\n"
            "assert main(['results']) == main(['trials']) == 0\n"
            "assert not {'torch', 'lightning', 'wandb', 'matplotlib'} & set(sys.modules)\n"
        )
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stderr

    def test_version(self) -> None:
        assert ib_bench("--version").stdout == f"ib-bench {__version__}\n"

    def test_help_lists_every_command_below_its_purpose_in_one_line(self) -> None:
        blocks = ib_bench("--help").stdout.split("\n\n")
        listed = {}
        for purpose, group in grouped_commands().items():
            (block,) = [block for block in blocks if block.startswith(f"{purpose}:\n")]
            lines = [line.split(maxsplit=1) for line in block.splitlines()[1:]]
            assert [name for name, _ in lines] == list(group)
            listed |= {name: summary for name, summary in lines}
        assert listed == {name: summary for name, (_, summary) in commands().items()}
        assert all(len(line) <= 80 for block in blocks for line in block.splitlines())


@pytest.mark.system
def test_an_oracle_needs_one_sequence_of_any_task(capsys: pytest.CaptureFixture[str]) -> None:
    options = [
        *("--model", "Oracle", "--data", "BoundedDyck", "--data.supervision", "sparse_states"),
        *("--data.held_out_pairs", "[[0, 1]]", "--data.max_length", "6", "--data.revealed", "0.3"),
        *("--search.learning_rates", "[0.01]", "--search.seeds", "[10]", "--search.max_steps", "50"),
        *("--search.max_size", "20", "--wandb.mode", "disabled"),
    ]
    assert main(["search", *options]) == 0
    capsys.readouterr()
    assert main(["results", "--format", "json"]) == 0
    (result,) = json.loads(capsys.readouterr().out)
    assert (result["min_train_size"], result["num_states"]) == (1, 15)
    assert main(["extrapolate", *options]) == 0
    assert "solves the training lengths" in capsys.readouterr().out


@pytest.mark.system
class TestLightningCommands:
    def test_fit_validate_and_test(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["fit", *FIT, "--trainer.max_steps", "5"]) == 0
        assert main(["validate", *FIT]) == 0
        assert "val/final_state_accuracy" in capsys.readouterr().out
        assert main(["test", *FIT]) == 0
        assert "test/normalized_token_accuracy" in capsys.readouterr().out

    @pytest.mark.filterwarnings("ignore:The dirpath has changed")  # a resumed run gets a folder of its own
    @pytest.mark.parametrize("model", ["LSTM", "DenseSSM", "Transformer"])
    def test_checkpoints_are_tested_and_resumed(self, model: str, capsys: pytest.CaptureFixture[str]) -> None:
        heads = ["--model.num_heads", "2", "--model.num_layers", "1"] if model == "Transformer" else []
        options = ["--model", model, "--model.hidden_size", "16", *heads, *FIT[4:], "--model.learning_rate", "0.01"]
        options = [option for option in options if option != "--trainer.enable_checkpointing"]
        options.remove("false")
        assert main(["fit", *options, "--trainer.max_steps", "20"]) == 0
        (checkpoint,) = Path("lightning_logs").rglob("*.ckpt")
        capsys.readouterr()
        accuracies = []
        for weights in ([], ["--ckpt_path", str(checkpoint)]):
            assert main(["test", *options, *weights]) == 0
            accuracies.append(capsys.readouterr().out)
            assert main(["validate", *options, *weights]) == 0
            capsys.readouterr()
        assert accuracies[0] != accuracies[1], "the trained weights were not loaded"
        assert main(["fit", *options, "--trainer.max_steps", "25", "--ckpt_path", str(checkpoint)]) == 0
        assert list(Path("lightning_logs").rglob("*step=25.ckpt"))

    def test_the_printed_config_repeats_the_command(
        self, working_folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with pytest.raises(SystemExit):
            main(["fit", *FIT, "--trainer.max_steps", "5", "--print_config"])
        config = capsys.readouterr().out
        assert "class_path: ib_bench.models.LSTM" in config
        assert "class_path: ib_bench.data.ModularAddition" in config
        (working_folder / "config.yaml").write_text(config)
        assert main(["fit", "--config", "config.yaml", "--data.modulus", "7"]) == 0

    def test_the_vocabulary_reaches_the_model(self, capsys: pytest.CaptureFixture[str]) -> None:
        permutations = [*FIT[:4], "--data", "PermutationComposition", "--data.num_elements", "3"]
        dev_run = ["--trainer.fast_dev_run", "true", "--trainer.accelerator", "cpu"]
        permutations += ["--data.num_train_sequences", "100"]
        assert main(["fit", *permutations, "--data.supervision", "chain_of_thought", *dev_run]) == 0


@pytest.mark.system
class TestSearch:
    def test_search_then_results_then_from_the_store(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(SEARCH) == 0
        printed = capsys.readouterr().out
        (record,) = results(capsys)
        assert record["model"] == "DenseSSM" and record["task"] == "ModularAddition"
        assert record["supervision"] == "aligned_chain_of_thought" and record["length_distribution"] == "uniform"
        assert record["max_length"] == 4 and record["status"] == "finished"
        assert isinstance(record["bracket"], list) and record["censored"] is False
        assert f"N*: {record['min_train_size']}" in printed
        trials = results(capsys, "trials")
        assert len(trials) == record["num_trials"]
        assert {"val_curve", "versions", "config"} <= set(trials[0])

        assert main(SEARCH) == 0
        assert capsys.readouterr().out == printed
        assert results(capsys, "trials") == trials

        main(["trials", "--search", str(record["key"])[:8], "--format", "csv"])
        rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
        assert [int(row["num_train_sequences"]) for row in rows] == [trial["num_train_sequences"] for trial in trials]

    @pytest.mark.slow
    def test_options_that_spare_trainings_say_what_they_do(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(SEARCH) == 0
        (plain,) = results(capsys)
        longer = [*SEARCH, "--data.max_length", "5", "--search.futility", "0.5"]
        assert main([*longer, "--search.vectorize", "true"]) == 0  # an option that was
        told = capsys.readouterr()
        cost = back_test(reference_records(), 0.5)
        assert f"changes {cost.num_changed} of {cost.num_searches} verdicts" in told.out
        assert "search.vectorize has no effect any more" in told.err and "search.cuda_graph" in told.err
        assert main(["results"]) == 0
        assert str(cost).partition(" training runs")[0] in capsys.readouterr().out
        (other,) = [record for record in results(capsys) if record["key"] != plain["key"]]
        assert other["status"] == "finished"
        options = {trial["key"]: trial["config"].get("options") for trial in results(capsys, "trials")}  # type: ignore[attr-defined]
        assert {"futility"} in [set(option) for option in options.values() if option]
        choices = ["--search.cuda_graph", "true", "--search.compile", "auto", "--search.vectorize", "auto"]
        assert main([*SEARCH, *choices]) == 0  # the protocol, on a CPU
        told = capsys.readouterr()
        assert "search.cuda_graph true, DenseSSM: not replayed, as trials do not run on a GPU" in told.err
        assert "search.compile auto" in told.err
        assert len(results(capsys)) == 2

    def test_another_threshold_is_another_search(self, capsys: pytest.CaptureFixture[str]) -> None:
        main(SEARCH)
        main([*SEARCH, "--search.threshold", "0.04"])
        assert len(results(capsys)) == 2

    def test_a_users_own_model_and_its_edits(self, working_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (working_folder / "my_models.py").write_text(OWN_MODEL)
        own = [*SEARCH, "--model", "my_models.GRU", "--search.max_steps", "3"]
        own.remove("--model.hidden_size")
        own.remove("16")
        assert ib_bench(*own).returncode == 0
        assert main(own) == 0
        sys.modules.pop("my_models", None)
        (working_folder / "my_models.py").write_text(OWN_MODEL + "\n# an edit\n")
        assert ib_bench(*own).returncode == 0
        records = results(capsys)
        assert {record["model"].partition("@")[0] for record in records} == {"my_models.GRU"} and len(records) == 2

    def test_a_users_own_task(self, working_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (working_folder / "my_tasks.py").write_text(OWN_TASK)
        own = ["--data", "my_tasks.ToggleData", "--data.max_length", "5"]
        start = SEARCH.index("--data")
        arguments = [*SEARCH[:start], *SEARCH[start + 6 :]]
        assert ib_bench(*arguments, *own).returncode == 0
        (record,) = results(capsys)
        assert (record["task"], record["task_args"]) == ("ToggleData", {"num_switches": 2})
        assert list(record["config"]["experiment"]["source_digests"]) == ["my_tasks.ToggleData"]  # type: ignore[index]

    def test_a_config_file_does_what_the_flags_do(
        self, working_folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with pytest.raises(SystemExit):
            main([*SEARCH, "--print_config"])
        (working_folder / "search.yaml").write_text(capsys.readouterr().out)
        assert main(SEARCH) == 0
        assert main(["search", "--config", "search.yaml"]) == 0
        assert len(results(capsys)) == 1


@pytest.mark.system
class TestSharing:
    ARGUMENTS = ("sharing", *SEARCH[1:], "--workers", "1", "--search.max_steps", "20", "--search.max_evaluations", "1")

    def test_kappa_rests_on_stored_searches(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main([*self.ARGUMENTS, "--format", "json"]) == 0
        kappa = json.loads(capsys.readouterr().out)
        assert set(kappa["parts"]) == {"2", "3", "4"}
        assert kappa["joint"]["length_distribution"] == "uniform"
        assert {part["length_distribution"] for part in kappa["parts"].values()} == {"fixed"}
        assert kappa["exhausted_lengths"] == [2, 3, 4][: kappa["num_exhausted"]] != []
        before = results(capsys, "trials")
        saturated = [trial for trial in before if trial["saturated"]]
        sizes = [trial["num_train_sequences"] for trial in saturated]
        assert sizes == [9, 27][: len(sizes)] != []
        assert kappa["parts"]["2"]["saturated_evaluation"]["num_sequences"] == 9
        assert main(list(self.ARGUMENTS)) == 0
        assert f"kappa: {kappa['sharing_factor']}" in capsys.readouterr().out
        assert results(capsys, "trials") == before
        assert main(["trials"]) == 0
        assert "saturated 9" in capsys.readouterr().out

    def test_saturated_evaluations_can_be_left_out(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main([*self.ARGUMENTS, "--sharing.saturate", "false", "--format", "json"]) == 0
        kappa = json.loads(capsys.readouterr().out)
        assert kappa["parts"]["2"]["exhausted"] and kappa["parts"]["2"]["saturated_evaluation"] is None
        assert kappa["sharing_factor_high"] is None
        assert not [trial for trial in results(capsys, "trials") if trial["saturated"]]

    def test_longer_shortest_lengths_and_curves(self, capsys: pytest.CaptureFixture[str]) -> None:
        few = ["--sharing.min_length", "4", "--sharing.curves", "true", "--curve.max_trials", "2"]
        assert main([*self.ARGUMENTS, *few, "--sharing.saturate", "false", "--format", "json"]) == 0
        kappa = json.loads(capsys.readouterr().out)
        assert (list(kappa["parts"]), kappa["min_length"]) == (["4"], 4)
        assert kappa["part_curves"]["4"]["num_trials"] == kappa["joint_curve"]["num_trials"] == 2
        (listed,) = results(capsys, "results", "--kind", "sharing")
        assert listed["sharing_factor_n50_text"] == kappa["sharing_factor_n50_text"] is not None

    def test_a_saturated_evaluation_is_no_search(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main([*SEARCH, "--data.saturated", "true"]) == 2
        assert "data.saturated cannot be set here, got True; a saturated evaluation is no search" in (
            capsys.readouterr().err
        )

    def test_parts_are_shared_between_maximal_lengths(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(list(self.ARGUMENTS)) == 0
        assert main([*self.ARGUMENTS, "--data.max_length", "5"]) == 0
        searches = [(row["length_distribution"], row["max_length"]) for row in results(capsys)]
        assert sorted(searches) == [("fixed", n) for n in (2, 3, 4, 5)] + [("uniform", 4), ("uniform", 5)]

    def test_a_length_with_nothing_to_hold_out(self, capsys: pytest.CaptureFixture[str]) -> None:
        enough = ["--data.modulus", "2", "--data.max_length", "3", "--search.max_steps", "100"]
        assert main([*self.ARGUMENTS, *enough]) == 0
        assert "1 to 4 (saturated)" in capsys.readouterr().out


@pytest.mark.system
class TestExtrapolation:
    ARGUMENTS = ("extrapolate", *SEARCH[1:], "--search.threshold", "0.01", "--extrapolation.num_sequences", "50")

    def test_accuracy_against_length(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main([*self.ARGUMENTS, "--format", "json"]) == 0
        record = json.loads(capsys.readouterr().out)
        assert [accuracy["length"] for accuracy in record["accuracies"]] == [4, 6, 8, 16, 32, 64]
        assert [len(accuracy["position_accuracy"]) for accuracy in record["accuracies"]] == [4, 6, 8, 16, 32, 64]
        assert record["accuracies"][0]["final_state_accuracy"] == 1
        assert record["accuracies"][2]["normalized_final_state_accuracy"] > 0.9
        trials = results(capsys, "trials")
        assert [trial["key"] for trial in trials] == [record["trial"]]
        assert main([*self.ARGUMENTS, "--format", "json"]) == 0
        assert json.loads(capsys.readouterr().out) == record
        assert results(capsys, "trials") == trials

    def test_untrained_positions_are_mentioned(self, capsys: pytest.CaptureFixture[str]) -> None:
        transformer = ("--model", "Transformer", "--model.num_heads", "2", "--model.num_layers", "1")
        regime = ("--data.supervision", "chain_of_thought", "--search.max_steps", "2")
        assert main([*self.ARGUMENTS, *transformer, "--model.hidden_size", "8", *regime]) == 0
        printed = capsys.readouterr().out
        assert "untrained" in printed
        assert "does NOT solve" in printed
        assert printed.count("its own") == printed.count(" true ") == 6


SUITES = [
    pytest.param(path, marks=() if path.stem == "demo" else pytest.mark.slow)
    for path in sorted(Path(__file__).parents[2].glob("configs/*.yaml"))
]
"""The shipped ones; all but the demo take long even in two steps."""


@pytest.mark.system
class TestSuites:
    @pytest.mark.parametrize("path", SUITES, ids=lambda path: path.stem)
    def test_every_shipped_suite_runs(self, path: Path, working_folder: Path) -> None:
        axes = ("--axes.max_length", "5", "--axes.task", "PermutationComposition") if path.stem == "paper" else ()
        run = ib_bench("run", path.stem, "--fast_dev_run", *axes)
        assert run.returncode == 0, run.stderr
        assert "figure: " not in run.stdout
        assert all(re.match(r"\d+/\d+ .*(left|all done)$", line) for line in run.stderr.splitlines()), run.stderr
        assert list(working_folder.iterdir()) == []

    def test_all_quantities_and_what_is_left_to_do(
        self, working_folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (working_folder / "tiny.yaml").write_text(TINY_SUITE + "  quantity: [search, sharing, extrapolate]\n")
        options = ["--axes.model", "LSTM", "--workers", "1", "--wandb.mode", "disabled", "--keep_weights", "best"]
        before = self._planned(capsys, *options)
        behind = {
            "searches behind them": (3, 0),
            "saturations behind them": (1, 0),
        }  # only n = 2 has at most 16 sequences
        assert before == {"N*": (1, 0), "kappa": (1, 0), "extrapolations": (1, 0), **behind}
        assert not (working_folder / "ib_bench.sqlite").exists()
        assert main(["run", "tiny.yaml", *options]) == 0
        printed = capsys.readouterr().out
        assert "sharing factor (kappa)" in printed and "length extrapolation" in printed and "trials" in printed
        trials = results(capsys, "trials")
        assert [trial["saturated"] for trial in trials].count(False) == 3
        assert len(list(working_folder.glob("ib_bench.sqlite.weights/*.pt"))) == 3  # of searches alone
        assert self._planned(capsys, *options) == {name: (number, number) for name, (number, _) in before.items()}

    def _planned(self, capsys: pytest.CaptureFixture[str], *options: str) -> dict[str, tuple[int, int]]:
        capsys.readouterr()
        assert main(["run", "tiny.yaml", "--dry_run", *options]) == 0
        found = re.findall(r"^([^\d\n]+?) +([\d,]+) +([\d,]+) +[\d,]+$", capsys.readouterr().out, re.MULTILINE)
        return {name: (int(number), int(stored)) for name, number, stored in found}

    @pytest.mark.slow
    def test_the_published_grid_has_the_right_size(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["run", "paper", "--dry_run"]) == 0
        words = " ".join(capsys.readouterr().out.split())
        assert "N* 1,800 0 1,800" in words  # (9 moduli + S_5) x 4 lengths x 3 regimes x 3 distributions x 5 models
        assert "kappa 600 0 600" in words  # the same without distributions
        assert "behind them 5,550 0" in words  # 1,800 and, for n = 2..30 but 5, 10, 20, 30, 10 tasks x 3 regimes x 5
        assert "extrapolations 1,800 0" in words
        assert "saturations behind them 1,185 0 1,185" in words  # 79 pools below 16,000,000 x 3 regimes x 5 models
        # 300 for each search, but for n = 2 of parity, where nothing is held out; one for each extrapolation; 15 for
        # each saturated evaluation
        assert f"at most {1_660_500 + 1_800 + 1_185 * 15:,} trials" in words

    @pytest.mark.slow
    def test_workers_and_this_process_give_the_same_numbers(
        self, working_folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (working_folder / "tiny.yaml").write_text(TINY_SUITE)
        curves = []
        command = ["run", "tiny.yaml", "--wandb.mode", "disabled"]
        for run in (
            lambda: main([*command, "--executor", "inline"]),
            lambda: ib_bench(*command, "--workers", "2").returncode,
        ):
            assert run() == 0
            trials = results(capsys, "trials")
            curves.append({str(trial["key"]): trial["val_curve"] for trial in trials})
            (working_folder / "ib_bench.sqlite").unlink()
        assert len(curves[0]) == 2
        assert curves[0] == curves[1]
        assert (working_folder / "figures" / "tiny.svg").exists()

    def test_a_failing_search_does_not_stop_the_others(
        self, working_folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (working_folder / "broken.py").write_text(BROKEN_MODEL)
        (working_folder / "tiny.yaml").write_text(TINY_SUITE.replace("LSTM", "broken.Broken"))
        run = ib_bench("run", "tiny.yaml", "--wandb.mode", "disabled", "--workers", "1")
        assert run.returncode == 1
        assert "failed broken.Broken" in run.stdout and "no luck [at all]" in run.stdout
        assert [record["status"] for record in results(capsys)].count("finished") == 1


TINY_SUITE = """
base:
  data: {class_path: ModularAddition, init_args: {modulus: 3, max_length: 3}}
  search: {learning_rates: [0.01], seeds: [10], max_steps: 20, max_size: 16, max_evaluations: 1}
axes:
  model:
    - {class_path: LSTM, init_args: {hidden_size: 8}}
    - {class_path: DenseSSM, init_args: {hidden_size: 8}}
"""

BROKEN_MODEL = """
from ib_bench.models import LSTM


class Broken(LSTM):
    def on_train_start(self):
        raise RuntimeError("no luck [at all]")
"""
