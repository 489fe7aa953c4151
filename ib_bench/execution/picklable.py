"""Errors on their way to another process."""

from __future__ import annotations

import pickle


def picklable(error: Exception) -> Exception:
    """The error, or one with the same text if it would not survive the way."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
