"""The arguments of ``ib-bench store export`` that send a score in."""

from __future__ import annotations

from pathlib import Path

from jsonargparse import ArgumentParser, Namespace

from ib_bench.drawing.terminal import say
from ib_bench.errors import BenchError, UnknownNameError, require
from ib_bench.results.archive import stored_records
from ib_bench.runner.places import require_writable_folder
from ib_bench.runner.protocols import add_protocol_arguments
from ib_bench.scoring.protocol import DEFAULT_BUDGET, DEFAULT_PROTOCOL, read_budget
from ib_bench.scoring.score import scores_called, scores_of

_DEFAULTS = {"model": None, "reference": None, "protocol": DEFAULT_PROTOCOL, "budget": DEFAULT_BUDGET}


def add_submission_arguments(parser: ArgumentParser) -> None:
    """The arguments of :func:`export_submission`."""
    parser.add_argument("--submission", type=str | None, help="Folder for one score, to submit it.")
    parser.add_argument(
        "--model",
        type=str | None,
        help="With --submission: the model as `ib-bench league` names it, or the start of that name.",
    )
    parser.add_argument(
        "--reference", type=str | None, help="With --submission: source of the model, a paper or a URL."
    )
    add_protocol_arguments(parser)


def require_no_submission_arguments(options: Namespace) -> None:
    """Make sure that an export of records has no arguments of a submission, and says where to.

    Raises:
        BenchError: it has, or does not.
    """
    if options.file is None:
        raise BenchError("the following arguments are required: file, or --submission")
    for name, default in _DEFAULTS.items():
        require(options[name] == default, name, options[name], "left out without --submission")


def export_submission(options: Namespace) -> int:
    """Write the folder of one score.

    Raises:
        BenchError: the arguments do not say which score, or it cannot be sent in.
    """
    for name in ("file", "what"):
        require(options[name] is None, name, options[name], "left out with --submission")
    reference = options.reference or ""
    require(bool(reference.strip()), "reference", options.reference, "a paper, or the URL of the code")
    budget = read_budget(options.protocol, options.budget)
    found = scores_of(stored_records(options.store), budget)
    if not found:
        raise BenchError(f"{options.store} has no score of {budget.title}; `ib-bench score MODEL` measures one")
    fitting = found if options.model is None else scores_called(found, options.model)
    if not fitting:
        raise UnknownNameError("model", options.model, (score.name for score in found))
    require(len(fitting) == 1, "model", options.model, f"one of {', '.join(score.name for score in fitting)}")
    (score,) = fitting
    require_writable_folder("submission", options.submission)
    from ib_bench.scoring.submission import write_submission  # noqa: PLC0415 (loads numpy)

    for path in write_submission(score, Path(options.submission), reference):
        say(f"submission: {path}")
    return 0
