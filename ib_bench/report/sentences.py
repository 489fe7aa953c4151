"""What was found, in a few sentences: what was measured, what each quantity says, and what becomes of the claims."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from ib_bench import catalogue
from ib_bench.drawing.study import Study
from ib_bench.drawing.styles import models_in_order
from ib_bench.plain_text import number_of
from ib_bench.quantities.quantity import Quantity
from ib_bench.results.archive import Records
from ib_bench.results.kinds import record_kinds
from ib_bench.results.records import Record
from ib_bench.studies.claims import Claim

_MAX_MODELS = 6


def sentences(
    study: Study, claims: Mapping[str, Sequence[Claim]], quantities: Sequence[Quantity[Any]] | None = None
) -> list[str]:
    """About five sentences; none without results.

    Args:
        study: the results.
        claims: for each source.
        quantities: whose sentences are taken, in order; None is all.
    """
    if not study.results:
        return []
    known = catalogue.quantities() if quantities is None else quantities
    known = sorted(known, key=lambda quantity: quantity.record is None)  # what is measured before what is derived
    found = [_measured(study), *(quantity.sentence(study) for quantity in known)]
    return [*filter(None, found), *(_of_claims(name, checked, len(claims) > 1) for name, checked in claims.items())]


def _measured(study: Study) -> str:
    """How many results there are, and of what."""
    labels = [one.label for one in study.results if isinstance(one.result, Record)]  # others may pool several tasks
    models = models_in_order(label.model for label in labels)
    tasks = list(dict.fromkeys(label.task for label in labels))
    named = ", ".join(models) if len(models) <= _MAX_MODELS else f"{len(models)} models ({_architectures(models)})"
    lengths = sorted({label.max_length for label in labels if label.max_length is not None})
    reach = f", with sequences of up to {lengths[-1]} symbols" if lengths else ""
    records = ", ".join(f"{name}: {held_text(held)}" for name, held in study.sources.items())
    about = tasks[0] if len(tasks) == 1 else f"{len(tasks):,} tasks"
    return f"What was measured: {named} on {about}{reach} ({records})."


def _architectures(models: Sequence[str]) -> str:
    """The first architectures of many models, without arguments, and how many others there are."""
    names = list(dict.fromkeys(model.partition("(")[0] for model in models))
    others = len(names) - _MAX_MODELS
    return ", ".join(names[:_MAX_MODELS]) + (f" and {number_of(others, 'more architectures')}" if others > 0 else "")


def held_text(records: Records) -> str:
    """How many records there are of each kind that there is, such as ``90 trials, 1 search``; empty without any."""
    counts = {kind.table: len(records.of(kind)) for kind in record_kinds()}
    return ", ".join(number_of(count, name) for name, count in counts.items() if count)


def _of_claims(source: str, claims: Sequence[Claim], several: bool) -> str:
    """How many claims of the paper are decided, and which; all comparisons are counted."""
    verdicts = Counter(claim.verdict for claim in claims)
    parts = []
    for verdict in ("supported", "contradicted", "mixed"):
        names = ", ".join(claim.name for claim in claims if claim.verdict == verdict)
        parts += [f"{verdicts[verdict]} {verdict} ({names})"] if names else []
    num_open = verdicts["not enough data"]
    counts = [statement.count for claim in claims for statement in claim.statements]
    decided, compared = sum(count.decided for count in counts), sum(count.decided + count.open for count in counts)
    text = ", ".join([*parts, f"{num_open} without enough data"]) if parts else "none is decided"
    where = f" in {source}" if several else ""
    return f"Of the paper's {len(claims)} claims{where}, {text}: {decided:,} of {compared:,} pairs of results decide."
