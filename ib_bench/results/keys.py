"""Whether a record is kept under the hash of its config, as it must be to be found."""

from __future__ import annotations

from ib_bench.results.record_store import Record
from ib_bench.results.records import (
    PROTOCOL_VERSION,
    Experiment,
    ExtrapolationConfig,
    ExtrapolationRecord,
    SearchConfig,
    SearchRecord,
    TrialConfig,
    TrialRecord,
)

_CONFIGS: dict[type[Record], type[TrialConfig | SearchConfig | ExtrapolationConfig]] = {
    TrialRecord: TrialConfig,
    SearchRecord: SearchConfig,
    ExtrapolationRecord: ExtrapolationConfig,
}


def is_hash_of_config(record: Record) -> bool:
    """Whether a record's key is what its config says, under this protocol or an earlier one."""
    try:
        experiment = Experiment(**record.config["experiment"])
        config = _CONFIGS[type(record)](**{**record.config, "experiment": experiment})
    except (LookupError, TypeError):
        return False
    return any(config.key_under(protocol) == record.key for protocol in range(PROTOCOL_VERSION, 0, -1))
