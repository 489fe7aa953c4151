"""Append-only files of frames, of which a kill or a full disk can spoil no more than the last.

A frame is a Python object with its length and checksum before it. Whoever reads stops at the first frame that is not
whole: it is being written still, or its writer has died.
"""

from __future__ import annotations

import os
import pickle
import struct
import zlib
from pathlib import Path
from typing import Any

_HEADER = struct.Struct(">4sIQ")  # mark, checksum of what follows, number of its bytes
_MARK = b"ibj1"  # a block of zeros, which file systems leave after a crash, is no frame


class Journal:
    """The writing end; every frame is on disk when :meth:`append` returns.

    Args:
        path: of the file, which must not exist: a journal has one writer.

    Raises:
        FileExistsError: it exists.
    """

    def __init__(self, path: Path) -> None:
        self._file = open(path, "xb", buffering=0)  # noqa: SIM115 (closed by close)

    def append(self, frame: Any) -> None:
        """Add a frame, anything that can be pickled, whole or not at all."""
        data = _encoded(frame)
        end = self._file.tell()
        try:
            written = 0
            while written < len(data):
                written += self._file.write(data[written:])
            os.fsync(self._file.fileno())
        except BaseException as error:  # a full disk, or a signal: the next frame may get through
            if isinstance(error, OSError) or self._file.seek(0, os.SEEK_END) < end + len(data):
                self._file.truncate(end)
                self._file.seek(end)
            raise

    def close(self) -> None:
        """Nothing more is appended."""
        self._file.close()


def read_frames(path: Path, offset: int = 0) -> tuple[list[Any], int]:
    """Whole frames of a journal.

    Args:
        path: of the journal; one that is not there has no frames.
        offset: where a frame begins, in bytes.

    Returns:
        The frames from there on, and where the next one will begin.
    """
    try:
        with open(path, "rb") as file:
            file.seek(offset)
            data = file.read()
    except FileNotFoundError:
        return [], offset
    frames: list[Any] = []
    position = 0
    while len(data) - position >= _HEADER.size:
        mark, checksum, length = _HEADER.unpack_from(data, position)
        body = data[position + _HEADER.size : position + _HEADER.size + length]
        if mark != _MARK or len(body) < length or zlib.crc32(body) != checksum:
            break
        try:
            frames.append(pickle.loads(body))
        except (pickle.UnpicklingError, AttributeError, ImportError):  # of another version of the classes
            break
        position += _HEADER.size + length
    return frames, offset + position


def replace_frame(path: Path, frame: Any) -> None:
    """Make a file hold this frame alone; readers see the old one or the new one, whole."""
    unfinished = path.with_name(f"{path.name}.{os.getpid()}")
    with open(unfinished, "wb") as file:
        file.write(_encoded(frame))
        file.flush()
        os.fsync(file.fileno())
    os.replace(unfinished, path)


def _encoded(frame: Any) -> bytes:
    body = pickle.dumps(frame)
    return _HEADER.pack(_MARK, zlib.crc32(body), len(body)) + body
