from __future__ import annotations

import gc
import sys

import pytest

from ib_bench.importing import import_for_good, without_garbage_collection


def test_collection_goes_on_afterwards() -> None:
    @without_garbage_collection()
    def fail() -> None:
        assert not gc.isenabled()
        raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert gc.isenabled()


def test_who_has_turned_it_off_finds_it_off() -> None:
    gc.disable()
    try:
        with without_garbage_collection():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_a_module_is_imported_once() -> None:
    assert import_for_good("ib_bench.importing") is sys.modules["ib_bench.cli.garbage"]
    with pytest.raises(ModuleNotFoundError):
        import_for_good("ib_bench.no_such_module")
    assert gc.isenabled()
