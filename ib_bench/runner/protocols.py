"""Arguments shared by the commands about scores."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from jsonargparse import ArgumentParser

from ib_bench.errors import require
from ib_bench.runner.places import require_writable_file
from ib_bench.scoring.protocol import DEFAULT_BUDGET, DEFAULT_PROTOCOL


def add_protocol_arguments(parser: ArgumentParser) -> None:
    """The arguments that say which scores are meant."""
    parser.add_argument("--budget", type=str, default=DEFAULT_BUDGET, help="Budget of the protocol: laptop or gpu.")
    add_protocol_argument(parser)


def add_protocol_argument(parser: ArgumentParser) -> None:
    """The argument that says by which protocol."""
    parser.add_argument(
        "--protocol", type=str, default=DEFAULT_PROTOCOL, help="Name of a protocol, or path of a file of your own."
    )


def require_card_file(path: str, endings: Iterable[str], store: str | None = None) -> None:
    """Make sure that a file's ending is known, and that it can be written.

    Args:
        path: of the file.
        endings: that it may have.
        store: path of the command's store, or None.

    Raises:
        InvalidOptionError: it is not so.
    """
    endings = list(endings)
    require(Path(path).suffix in endings, "out", path, f"a name that ends in {', '.join(endings)}")
    require_writable_file("out", path, store)
