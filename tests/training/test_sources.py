"""What identifies code from outside this package."""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from torch import nn

from ib_bench.errors import BenchError
from ib_bench.results.records import ClassSpec, DataSpec, Experiment
from ib_bench.training.sources import files_of, require_planned_code, source_digests

FILES = {
    "__init__.py": "",
    "model.py": """
        import json
        from outside.base import Base
        from .layers import mixed
        class Model(Base):
            def forward(self, tokens):
                return mixed(tokens)
        """,
    "base.py": "from ib_bench.models import LSTM\nclass Base(LSTM): pass\n",
    "layers.py": "from . import scales\ndef mixed(tokens):\n    return scales.SCALE * tokens\n",
    "scales.py": "SCALE = 2\n",
    "late.py": "SCALE = 2\n",
    "lazy.py": "class Lazy:\n    def forward(self):\n        import outside.late\n        return outside.late.SCALE\n",
    "stranger.py": "SCALE = 2\n",
    "options.py": """
        from __future__ import annotations
        from collections.abc import Callable
        class Options:
            def __init__(self, note: str, layer: type | None = None, scale: Callable[[int], int] | None = None): ...
        """,
}
"""A user's own package."""


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    package = tmp_path / "outside"
    package.mkdir()
    for name, text in FILES.items():
        (package / name).write_text(textwrap.dedent(text))
    monkeypatch.syspath_prepend(str(tmp_path))
    yield package
    forget()
    gc.collect()  # its classes, which would still be found among the subclasses of ours


def forget() -> None:
    """As in a new process."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "outside"]:
        del sys.modules[name]


def digest(class_path: str, **arguments: object) -> dict[str, str]:
    forget()
    return source_digests(ClassSpec(class_path, arguments))


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    # as if minutes had passed: Python takes compiled code for current where the second and the size are the same
    edited_at = file.stat().st_mtime + 100
    os.utime(file, (edited_at, edited_at))


def test_shipped_classes_have_no_digest() -> None:
    assert source_digests(ClassSpec("ib_bench.models.LSTM", {"x": "a. b", "y": "v1.0"})) == {}


@pytest.mark.parametrize("edited", ["model.py", "base.py", "layers.py", "scales.py"])
def test_an_edit_of_anything_that_is_imported_changes_the_digest(outside: Path, edited: str) -> None:
    before = digest("outside.model.Model")
    assert set(before) == {"outside.model.Model"}
    assert digest("outside.model.Model") == before
    (outside / edited).write_text((outside / edited).read_text() + "# edited\n")
    assert digest("outside.model.Model") != before


def test_an_import_within_a_method_counts(outside: Path) -> None:
    before = digest("outside.lazy.Lazy")
    edit(outside / "late.py", "2", "3")
    assert digest("outside.lazy.Lazy") != before


def test_what_is_not_imported_does_not_count(outside: Path) -> None:
    before = digest("outside.model.Model")
    edit(outside / "stranger.py", "2", "3")
    assert digest("outside.model.Model") == before


def test_a_single_file_has_the_digest_that_it_always_had(outside: Path) -> None:
    text = "import torch\nclass Alone(torch.nn.Module): pass\n"
    (outside / "alone.py").write_text(text)
    sha256 = importlib.import_module("hashlib").sha256
    assert digest("outside.alone.Alone") == {"outside.alone.Alone": sha256(text.encode()).hexdigest()[:32]}


def test_installed_packages_are_not_followed_but_count_themselves(
    outside: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = tmp_path / "installed"
    (installed / "library").mkdir(parents=True)
    (installed / "library-1.0.dist-info").mkdir()
    (installed / "library" / "__init__.py").write_text("from library.parts import Part\n")
    (installed / "library" / "parts.py").write_text("class Part: pass\n")
    monkeypatch.syspath_prepend(str(installed))
    (outside / "user.py").write_text("import library\nclass User(library.Part): pass\n")

    def digests() -> list[dict[str, str]]:
        for name in [name for name in sys.modules if name.partition(".")[0] == "library"]:
            del sys.modules[name]
        return [digest("outside.user.User"), digest("library.parts.Part")]

    before = digests()
    edit(installed / "library" / "parts.py", "pass", "pass  # edited")
    after = digests()
    assert after[0] == before[0] and after[1] != before[1]


def test_classes_named_inside_a_spec_count_too(outside: Path) -> None:
    nested = DataSpec("ib_bench.data.ModularAddition", {"supervision": "outside.base.Base"})
    assert set(source_digests(nested)) == {"outside.base.Base"}
    layer = {"class_path": "outside.base.Base", "init_args": {"inner": [{"class_path": "outside.lazy.Lazy"}]}}
    assert set(digest("ib_bench.models.LSTM", layers=[layer])) == {"outside.base.Base", "outside.lazy.Lazy"}


def test_only_arguments_that_take_a_class_are_imported(outside: Path) -> None:
    (outside / "train.py").write_text("raise SystemExit('this ran')\n")
    options = {"note": "outside.train.pt", "layer": "outside.base.Base", "scale": "outside.layers.mixed"}
    found = digest("outside.options.Options", **options)
    assert set(found) == {"outside.options.Options", "outside.base.Base", "outside.layers.mixed"}
    assert "outside.train" not in sys.modules


def test_a_module_edited_after_its_import_is_refused(outside: Path) -> None:
    digest("outside.model.Model")
    edit(outside / "layers.py", "* tokens", "* tokens + 0")
    with pytest.raises(BenchError, match=r"layers\.py was edited after it was imported: restart Python, or reload"):
        source_digests(ClassSpec("outside.model.Model"))
    importlib.reload(sys.modules["outside.layers"])
    with pytest.raises(BenchError, match=r"model\.py was imported before outside\.layers was reloaded, and still uses"):
        source_digests(ClassSpec("outside.model.Model"))
    importlib.reload(sys.modules["outside.model"])
    assert source_digests(ClassSpec("outside.model.Model")) == digest("outside.model.Model")


VALUES = """
    from outside.scales import SCALE
    import outside.layers
    ONE = 1.0
    MANY = (1, "a")
    MADE = [1]
    count = seen = 0
    count += 1
    class Base: pass
    class Values(Base):
        gain = 2
        built = 0
        def __init__(self, width=3, *, height: int = 4):
            global seen
            seen += 1
            Values.built += 1
    """


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("ONE = 1.0", "ONE = 19.0", "values.py says ONE = 19.0, but what was imported has 1.0: restart Python"),
        ("(1, ", "(2, ", "says MANY = (2, 'a')"),
        ("gain = 2", "gain = 3", "says Values.gain = 3, but"),
        ("width=3", "width=5", "values.py was edited after it was imported"),
        ("int = 4", "int = 5", "values.py was edited after it was imported"),
        ("MADE = [1]", "MADE = [2]", ""),
    ],
)
@pytest.mark.parametrize("was_looked_at", [False, True])
def test_an_edited_constant_is_refused(outside: Path, old: str, new: str, said: str, was_looked_at: bool) -> None:
    (outside / "values.py").write_text(textwrap.dedent(VALUES))
    spec = ClassSpec("outside.values.Values")
    forget()
    importlib.import_module("outside.values").Values()
    if was_looked_at:
        assert source_digests(spec) == source_digests(spec)
    edit(outside / "values.py", old, new)
    if was_looked_at or said:
        with pytest.raises(BenchError) as error:
            source_digests(spec)
        assert ("values.py was edited after it was imported" if was_looked_at else said) in str(error.value)
        importlib.reload(sys.modules["outside.values"])
    assert source_digests(spec) == digest("outside.values.Values")


def test_a_name_taken_from_a_module_before_its_reload_is_refused(outside: Path) -> None:
    (outside / "values.py").write_text(textwrap.dedent(VALUES))
    forget()
    importlib.import_module("outside.values")
    edit(outside / "scales.py", "2", "3")
    importlib.reload(sys.modules["outside.scales"])
    with pytest.raises(BenchError, match=r"values\.py was imported before outside\.scales was reloaded"):
        source_digests(ClassSpec("outside.values.Values"))
    importlib.reload(sys.modules["outside.values"])
    assert source_digests(ClassSpec("outside.values.Values")) == digest("outside.values.Values")


def test_a_base_of_before_a_reload_is_refused(outside: Path) -> None:
    (outside / "derived.py").write_text("import outside.lazy\nclass Derived(outside.lazy.Lazy): pass\n")
    forget()
    importlib.import_module("outside.derived")
    importlib.reload(sys.modules["outside.lazy"])
    with pytest.raises(BenchError, match=r"derived\.py was imported before outside\.lazy was reloaded"):
        source_digests(ClassSpec("outside.derived.Derived"))


def test_files_that_the_data_read(tmp_path: Path) -> None:
    file = tmp_path / "words.txt"
    file.write_text("one")
    data = SimpleNamespace(files=[file])
    before = source_digests(ClassSpec("ib_bench.models.LSTM"), data=data)  # type: ignore[arg-type]
    file.write_text("two")
    after = source_digests(ClassSpec("ib_bench.models.LSTM"), data=data)  # type: ignore[arg-type]
    assert set(before) == set(after) == {"file words.txt"} and before != after
    model = nn.Sequential(nn.Linear(1, 1))
    model[0].files = [file, str(file)]  # type: ignore[assignment]
    of_both = source_digests(data=data, model_files=files_of(model))  # type: ignore[arg-type]
    assert of_both == after | {"file words.txt (2)": after["file words.txt"]}
    file.unlink()
    with pytest.raises(BenchError, match=r"the data read '.*words\.txt', which cannot be opened: No such file"):
        source_digests(ClassSpec("ib_bench.models.LSTM"), data=data)  # type: ignore[arg-type]


Cells = Callable[..., object]


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> Cells:
    """Runs cells in a ``__main__`` without a file, as a notebook does."""
    main = importlib.import_module("types").ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", main)

    def run(*cells: str, seen: bool = True) -> dict[str, str]:
        linecache = importlib.import_module("linecache")
        for text in map(textwrap.dedent, cells):
            name = f"<cell {hash(text)}>"
            if seen:
                linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
            exec(compile(text, name, "exec"), vars(main))
        return source_digests(ClassSpec("__main__.Model"))

    return run


MODEL = """
    class Model:
        def forward(self, tokens):
            return mixed(tokens)
    """
MIXED = "def mixed(tokens):\n    return SCALE * tokens\n"


def test_a_class_redefined_in_a_notebook(notebook: Cells) -> None:
    first = notebook("SCALE = 2", MIXED, MODEL)
    assert notebook(MODEL) == first
    assert notebook("UNUSED = 2") == first
    assert notebook(MODEL + "        # edited\n") != first
    assert notebook(MODEL, MIXED.replace("*", "+")) != first
    assert notebook(MIXED, "SCALE = 3") != first
    assert notebook("SCALE = 2") == first


TASK = """
    from ib_bench.data.state_tracking_data import data_module_of
    from ib_bench.tasks.modular_addition import ModularAddition
    class Task(ModularAddition):
        def forward(self):
            return 1
    Model = data_module_of(Task)
    """


def test_a_data_module_is_made_of_its_task_in_a_notebook(notebook: Cells) -> None:
    first = notebook(TASK)
    assert notebook(TASK) == first != notebook(TASK.replace("return 1", "return 2"))


def test_a_class_without_methods_is_its_values_and_its_bases(notebook: Cells) -> None:
    derived = "class Model(Base):\n    both = True\n"
    first = notebook("SCALE = 2", MIXED, MODEL.replace("Model", "Base"), derived)
    assert notebook(derived) == first
    assert notebook(derived.replace("True", "False")) != first
    assert notebook(MODEL.replace("Model", "Base") + "        # edited\n", derived) != first


def test_the_attributes_of_a_class_without_methods_count(notebook: Cells) -> None:
    text = "from torch import nn\nclass Model(nn.Module):\n    layer = nn.GRU\n"
    assert notebook(text) == notebook(text) != notebook(text.replace("GRU", "LSTM"))
    notebook("class Cell:\n    def forward(self):\n        return 1\n")
    first = notebook("class Model:\n    layer = Cell\n    def forward(self):\n        return self.layer()\n")
    assert notebook("class Cell:\n    def forward(self):\n        return 2\nModel.layer = Cell") != first


def test_what_a_class_does_not_mention_is_no_part_of_it(notebook: Cells) -> None:
    """Names of attributes, builtins, decorators of installed packages, and the class's own machinery."""
    text = """
        from abc import ABC
        from math import sqrt
        import torch
        class Model(ABC):
            @torch.no_grad()
            def forward(self, tokens):
                return self.gain + sqrt(tokens.size(1))
        """
    first = notebook(text)
    assert notebook("gain = object()", "size = 2") == first
    assert notebook(text.replace("size(1)", "size(0)")) != first
    assert notebook("from abc import ABC\nclass Model(ABC):\n    width = 128\n") != first


def test_functions_that_a_class_keeps_count_wherever_they_are_from(notebook: Cells) -> None:
    act, other = "def act(x):\n    return x\n", "def act(x):\n    return x + 1\n"
    for model in (
        "class Model:\n    act = staticmethod(act)\n    def forward(self, x):\n        return 1\n",
        "class Model:\n    def forward(self, x):\n        return 1\n    act = staticmethod(act)\n",
    ):
        first = notebook(act, model)
        assert notebook(act, model) == first
        assert notebook(act, model.replace("return 1", "return 2")) != first
        assert notebook(other, model) != first


DECLARATIONS = {
    "dataclass": "from dataclasses import dataclass\n@dataclass\nclass Sizes:\n    width: int = 64\n",
    "named tuple": "from typing import NamedTuple\nclass Sizes(NamedTuple):\n    width: int = 64\n",
    "enumeration": "from enum import Enum\nclass Sizes(Enum):\n    width = 64\n",
}


@pytest.mark.parametrize("kind", DECLARATIONS)
def test_what_a_class_declares_without_methods(kind: str, notebook: Cells) -> None:
    declaration, model = DECLARATIONS[kind], "class Model:\n    def forward(self, x):\n        return Sizes\n"
    first = notebook(declaration, model)
    assert notebook(declaration, model) == first != notebook(declaration.replace("64", "65"), model)


def test_all_of_a_dataclass_counts(notebook: Cells) -> None:
    declaration = """
        from dataclasses import dataclass, field
        @dataclass
        class Sizes:
            width: int = 64
            widths: list = field(default_factory=lambda: [64, 64])
            scale = 2
        """
    model = "class Model:\n    def forward(self, x):\n        return Sizes\n"
    first = notebook(declaration, model)
    assert notebook(declaration, model) == first
    for old, new in (("[64, 64]", "[64, 32]"), ("scale = 2", "scale = 3"), ("int = 64", "int = 65")):
        assert notebook(declaration.replace(old, new), model) != first


def test_a_name_may_come_to_mean_another_function(notebook: Cells) -> None:
    model = "class Model:\n    def forward(self, x):\n        return act(x)\n"
    first = notebook("import torch\nact = torch.tanh", model)
    assert notebook("act = torch.tanh") == first
    digests = [notebook(f"act = {other}") for other in ("torch.relu", "torch.nn.functional.silu", "torch.nn.GRU")]
    assert len({json.dumps(one) for one in (first, *digests)}) == 4


def test_what_else_is_imported_from_a_package_does_not_count(outside: Path, notebook: Cells) -> None:
    model = MODEL.replace("mixed(", "outside.layers.mixed(")
    first = notebook("import outside.layers", model)
    forget()
    assert notebook("import outside.stranger, outside.layers", model) == first


def test_what_a_method_imports_when_it_runs_counts(outside: Path, notebook: Cells) -> None:
    model = "class Model:\n    def forward(self, x):\n        from outside import scales\n        return scales.SCALE\n"
    first = notebook(model)
    edit(outside / "scales.py", "2", "3")
    assert notebook(model) != first


def test_the_package_of_what_a_module_imports_when_it_runs_is_not_run(outside: Path, tmp_path: Path) -> None:
    scripts = tmp_path / "outside_scripts"
    scripts.mkdir()
    (scripts / "__init__.py").write_text("raise SystemExit('I was run')\n")
    (scripts / "train.py").write_text("SCALE = 2\n")
    edit(outside / "lazy.py", "import outside.late", "import outside.late\n        import outside_scripts.train")
    first = digest("outside.lazy.Lazy")
    assert "outside_scripts" not in sys.modules
    edit(scripts / "train.py", "2", "3")
    second = digest("outside.lazy.Lazy")
    assert second != first
    (scripts / "configs").mkdir()  # without __init__.py
    (scripts / "configs" / "base.py").write_text("SCALE = 2\n")
    edit(outside / "lazy.py", "import outside_scripts.train", "from outside_scripts.configs.base import SCALE")
    third = digest("outside.lazy.Lazy")
    edit(scripts / "configs" / "base.py", "2", "3")
    assert len({json.dumps(one) for one in (first, second, third, digest("outside.lazy.Lazy"))}) == 4


@pytest.mark.parametrize("line", ["import outside.layers\nmixed = outside.layers.mixed", "from outside import layers"])
def test_what_a_notebook_imports_is_followed(outside: Path, notebook: Cells, line: str) -> None:
    model = (
        MODEL.replace("mixed(", "layers.mixed(") if "from" in line else MODEL.replace("mixed(", "outside.layers.mixed(")
    )
    first = notebook(line, model)
    edit(outside / "scales.py", "2", "3")
    forget()
    assert notebook(line, model) != first


def test_relative_imports_of_a_script_in_a_package_count(outside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``python -m outside.script``."""
    (outside / "script.py").write_text("from .layers import mixed\nclass Model:\n    forward = mixed\n")

    def found() -> dict[str, str]:
        forget()
        script = importlib.import_module("outside.script")
        main = importlib.import_module("types").ModuleType("__main__")
        main.__file__, main.__package__ = script.__file__, "outside"
        main.Model = type("Model", (), {"__module__": "__main__"})  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "__main__", main)
        return source_digests(ClassSpec("__main__.Model"))

    first = found()
    assert found() == first
    edit(outside / "scales.py", "2", "3")
    assert found() != first


def test_scripts_that_a_module_imports_when_it_runs_are_not_run(outside: Path, tmp_path: Path) -> None:
    (tmp_path / "outside_script.py").write_text("raise SystemExit('I was run')\n")
    edit(outside / "lazy.py", "import outside.late", "import outside.late\n        from outside_script import run")
    first = digest("outside.lazy.Lazy")
    assert "outside_script" not in sys.modules
    edit(tmp_path / "outside_script.py", "I was", "I am")
    assert digest("outside.lazy.Lazy") != first


def test_a_process_that_imports_edited_code_says_so(outside: Path) -> None:
    digests = digest("outside.model.Model")
    planned = Experiment(ClassSpec("outside.model.Model"), DataSpec("ib_bench.data.ModularAddition"), {}, digests)
    edit(outside / "scales.py", "2", "3")
    forget()
    with pytest.raises(
        BenchError, match=r"the code of outside\.model\.Model was edited after this was planned: run the"
    ):
        require_planned_code(planned)
    edit(outside / "scales.py", "3", "2")
    forget()
    require_planned_code(planned)
    edit(outside / "scales.py", "2", "3")
    require_planned_code(planned)  # this process has imported what was planned


def test_what_cannot_be_identified_is_refused(notebook: Cells) -> None:
    with pytest.raises(BenchError, match="SCALE is an object of the notebook"):
        notebook("SCALE = object()", MIXED, MODEL)
    with pytest.raises(BenchError, match="the source of Model cannot be read"):
        notebook("SCALE = 2\nmixed = len", MODEL.replace("tokens", "words"), seen=False)


def test_digests_are_plain_data(outside: Path) -> None:
    assert json.loads(json.dumps(digest("outside.model.Model")))
