"""Cards of scores, printed and written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console

from ib_bench.drawing.columns import json_text
from ib_bench.drawing.terminal import say, show
from ib_bench.results.whole_file import write_text_whole
from ib_bench.scoring.card import card_figure, card_group, card_json, card_markdown
from ib_bench.scoring.score import Score

CARD_FILES: dict[str, Callable[[Score], str]] = {
    ".svg": lambda score: card_figure(score).svg,
    ".md": card_markdown,
    ".json": lambda score: json_text(card_json(score)),
}
"""What writes a card, by the ending of its file."""


def print_cards(scores: Sequence[Score], how: str, console: Console) -> None:
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


def write_card(score: Score, path: str, console: Console) -> None:
    """Write a card, and say where.

    Args:
        score: of the card.
        path: of the file, with one of the endings of ``CARD_FILES``.
        console: that says it.
    """
    write_text_whole(Path(path), CARD_FILES[Path(path).suffix](score))
    say(f"card: {path}", console)
