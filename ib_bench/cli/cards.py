"""Cards of scores, printed and written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console

from ib_bench.drawing.columns import json_text
from ib_bench.drawing.terminal import console_beside, say, show
from ib_bench.results.whole_file import write_text_whole
from ib_bench.scoring.card import card_figure, card_group, card_json, card_markdown
from ib_bench.scoring.score import Score

CARD_FILES: dict[str, Callable[[Score], str]] = {
    ".svg": lambda score: card_figure(score).svg,
    ".md": card_markdown,
    ".json": lambda score: json_text(card_json(score)),
}
"""What writes a card, by the ending of its file."""


def _print_cards(scores: Sequence[Score], how: str, console: Console) -> None:
    """Print cards; one in JSON is an object, several are a list.

    Args:
        scores: one card each.
        how: ``table``, ``markdown`` or ``json``.
        console: for tables.
    """
    if how == "json":
        cards = [card_json(score) for score in scores]
        print(json_text(cards[0] if len(cards) == 1 else cards), end="")
        return
    for score in scores:
        if how == "markdown":
            print(card_markdown(score), end="")
        else:
            show(card_group(score), console)
            console.print()


def put_cards(scores: Sequence[Score], how: str, path: str | None) -> None:
    """Write the card of the only one of some scores, if there is one, print all cards, and say where it was written.

    The file comes first, as nobody may read what is printed to its end.

    Args:
        scores: of the cards.
        how: ``table``, ``markdown`` or ``json``.
        path: of the file, with one of the endings of ``CARD_FILES``; None writes none.
    """
    if path is not None and scores:
        write_text_whole(Path(path), CARD_FILES[Path(path).suffix](scores[0]))
    _print_cards(scores, how, Console())
    if path is not None and scores:
        say(f"card: {path}", console_beside(how))
