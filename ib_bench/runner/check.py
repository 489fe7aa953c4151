"""Checks of one model: what ``ib_bench.check`` and ``ib-bench check`` do."""

from __future__ import annotations

from collections.abc import Callable

from jsonargparse import ArgumentError, lazy_instance
from lightning.pytorch.utilities.seed import isolate_rng

from ib_bench.data import ModularAddition
from ib_bench.data.searchable_data import SearchableData
from ib_bench.errors import reason_of
from ib_bench.models.sequence_model import SequenceModel
from ib_bench.plain_text import number_of
from ib_bench.results.identity import Json
from ib_bench.results.integrity import Finding
from ib_bench.runner.config_errors import explained, option_names
from ib_bench.runner.desk import (
    check_model_and_data,
    contract_findings,
    link_vocabulary,
    require_interface,
    resolved_config,
    specs_of,
)
from ib_bench.supervision.supervision import Batch
from ib_bench.training.class_parser import ClassParser
from ib_bench.training.global_state import global_state_kept, one_thread
from ib_bench.training.instantiation import instantiate_data
from ib_bench.training.model_check import milliseconds_per_step, state_size

_MODULUS, _MAX_LENGTH = 5, 8

_MAX_SEQUENCES = 1024
"""Of which a batch is taken to time a step."""


def check_parser(prog: str, description: str) -> ClassParser:
    """A parser of a model, and of the data that it is checked with: sums modulo 5 of up to 8 numbers by default."""
    parser = ClassParser(prog=prog, description=description, exit_on_error=False, allow_abbrev=False)
    parser.add_model_and_data(data_required=False)
    parser.set_defaults(data=lazy_instance(ModularAddition, modulus=_MODULUS, max_length=_MAX_LENGTH))
    link_vocabulary(parser)
    return parser


def check(config: Json) -> list[Finding]:
    """Check that a model can be measured, without training it.

    Args:
        config: ``model`` and ``data``, with all defaults filled in.

    Returns:
        What was found; a ``failure`` is what a search refuses.

    Raises:
        BenchError: model or data cannot be built.
    """
    model, spec, data = check_model_and_data(config)
    require_interface(spec)
    with global_state_kept(), isolate_rng(include_cuda=False), one_thread():
        findings = contract_findings(model, spec, data, data.num_positions)
        if isinstance(model, SequenceModel) and all(finding.state != "failure" for finding in findings):
            batch = next(iter(_few_sequences(config, data).train_dataloader()))
            findings.append(_measured("state", lambda: state_size(model.eval(), data.vocab_size)))
            findings.append(_measured("step", lambda: _step_text(model, batch)))
    return findings


def _measured(name: str, measure: Callable[[], str]) -> Finding:
    """A number of a model that is fine; an optimizer or a ``decode`` of its own may ask for more than is here."""
    try:
        return Finding(name, "ok", measure())
    except Exception as error:
        return Finding(name, "warning", f"not measured, {type(error).__name__}: {reason_of(error)}")


def _step_text(model: SequenceModel, batch: Batch) -> str:
    milliseconds = milliseconds_per_step(model, batch)
    return f"{milliseconds:.3g} ms for {number_of(len(batch.tokens), 'sequences')}, one thread"


def _few_sequences(config: Json, data: SearchableData) -> SearchableData:
    """The same data with a training set that takes no time to make."""
    num = min(_MAX_SEQUENCES, data.max_train_sequences)
    return instantiate_data(specs_of(config)[1], num_train_sequences=num)


def check_named(config: Json) -> list[Finding]:
    """The same for a config without defaults; see :func:`ib_bench.check`."""
    parser = check_parser("ib_bench.check", "")
    try:
        options = parser.parse_object(config)
    except ArgumentError as error:
        raise explained(error, options=option_names(parser)) from error
    return check(resolved_config(parser, options))
