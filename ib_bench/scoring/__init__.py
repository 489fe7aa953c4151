"""Scores: one fixed protocol for any model, cards of models, and a league of them."""
