"""The prior of success curves."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CurvePrior:
    """The prior of a curve. The three parameters are independent.

    No field has a default, so that every record which holds a prior holds all of it. With :data:`PRIOR`,

    - The location is uniform, from one octave below one sequence to one octave above the largest size.
    - The logarithm of the spread is uniform. A spread of 0.1 octaves is a step; at 2 octaves, 256 times the data takes
      a run from 12 % to 88 % of the ceiling.
    - The ceiling lies above 0.9 with probability 0.6, and is uniform there. Below, its density is proportional to it.
      So a ceiling of at most 1/2, with which N50 is infinite, has probability 0.12.

    Attributes:
        octaves_below: how far the location may lie below one sequence, in octaves, at least 0.
        octaves_above: how far the location may lie above the largest size, in octaves, at least 0.
        location_step: distance of the grid's locations, in octaves, above 0.
        min_spread: smallest spread, in octaves, above 0.
        max_spread: largest spread, in octaves, above the smallest.
        num_spreads: spreads on the grid, at least 1.
        high_ceiling: where the range of high ceilings begins, in (0, 1).
        high_probability: prior probability of that range, in (0, 1).
        num_low_ceilings: ceilings on the grid below that range, at least 1.
        num_high_ceilings: ceilings on the grid in that range, at least 1.
    """

    octaves_below: float
    octaves_above: float
    location_step: float
    min_spread: float
    max_spread: float
    num_spreads: int
    high_ceiling: float
    high_probability: float
    num_low_ceilings: int
    num_high_ceilings: int


PRIOR = CurvePrior(
    octaves_below=1.0,
    octaves_above=1.0,
    location_step=0.125,
    min_spread=0.1,
    max_spread=2.0,
    num_spreads=10,
    high_ceiling=0.9,
    high_probability=0.6,
    num_low_ceilings=9,
    num_high_ceilings=2,
)
"""The prior of every curve."""
