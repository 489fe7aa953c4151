"""Records as JSON, and the one door through which they come back.

Every record says which version of its shape it has. What is read is checked here, whether it comes from a store, an
archive or another store that is merged: the type and range of every field, the key (32 hexadecimal digits, the hash of
the config), and what a record's own constructor checks. Older shapes are filled in.

The codec is msgspec: it decodes JSON straight into dataclasses and checks types in the same pass, in half the time that
the standard library takes to decode without checking.
"""

from __future__ import annotations

import json
from typing import Any, TypeVar

import msgspec

from ib_bench.results.identity import PROTOCOL_VERSION, Json
from ib_bench.results.records import Record

R = TypeVar("R", bound=Record)
T = TypeVar("T")

_SHAPE = "shape"
_SHAPE_START = b'{"shape":'


class UnreadableRecordError(ValueError):
    """Text that is no sound record of its kind; the message says why."""


class UnknownShapeError(UnreadableRecordError):
    """A record whose shape is newer than this version of the package."""


def encode(record: Record) -> str:
    """A record as one line of JSON; its shape comes first."""
    return json.dumps(to_plain(record), allow_nan=False)


def to_plain(record: Record) -> Json:
    """A record as plain data: its shape and its fields, the config in its canonical form."""
    fields: Json = msgspec.to_builtins(record)
    return {_SHAPE: type(record).shape, **fields, "config": record.config.to_json()}


def decode(kind: type[R], text: bytes) -> R:
    """The inverse of :func:`encode`, for records of this and of older shapes.

    Args:
        kind: what the text is a record of.
        text: JSON.

    Raises:
        UnknownShapeError: the record's shape is newer than this version.
        UnreadableRecordError: the text is no such record: malformed JSON, a field of another type or out of its range,
            or a key that is not the hash of the config.
    """
    record: R
    try:
        shape = shape_of(text)
        if shape > kind.shape:
            raise UnknownShapeError(f"its shape {shape} is newer than {kind.shape}, the newest that this version reads")
        if shape < kind.shape:
            record = msgspec.convert(kind.upgraded(msgspec.json.decode(text, type=dict[str, Any]), shape), kind)
        else:
            record = _decoder(kind).decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadableRecordError(str(error)) from error
    if not _is_key_of_config(record):
        raise UnreadableRecordError("its key is not the hash of its config")
    return record


def decode_plain(kind: type[T], text: bytes | str) -> T:
    """A dataclass that is no record, from JSON, with the types of its fields checked.

    Args:
        kind: the dataclass.
        text: JSON.

    Raises:
        UnreadableRecordError: the text is none.
    """
    try:
        return msgspec.json.decode(text, type=kind)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise UnreadableRecordError(str(error)) from error


def shape_of(text: bytes) -> int:
    """The version of a record's shape; records of the first versions do not say one."""
    if not text.startswith(_SHAPE_START):
        return 1
    shape = msgspec.json.decode(text, type=_Header).shape
    if shape < 1:
        raise UnreadableRecordError(f"its shape is {shape}")
    return shape


class _Header(msgspec.Struct):
    shape: int


def _is_key_of_config(record: Record) -> bool:
    """Under this protocol or an earlier one."""
    return any(record.config.key_under(protocol) == record.key for protocol in range(PROTOCOL_VERSION, 0, -1))


_DECODERS: dict[type[Record], msgspec.json.Decoder[Any]] = {}


def _decoder(kind: type[Record]) -> msgspec.json.Decoder[Any]:
    if kind not in _DECODERS:
        _DECODERS[kind] = msgspec.json.Decoder(kind)
    return _DECODERS[kind]
