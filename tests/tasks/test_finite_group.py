"""Against sympy's groups, and against the tasks that are groups already."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from sympy.combinatorics import Permutation, PermutationGroup
from sympy.combinatorics.fp_groups import FpGroup
from sympy.combinatorics.free_groups import free_group
from sympy.combinatorics.homomorphisms import is_isomorphic
from sympy.combinatorics.named_groups import AlternatingGroup, CyclicGroup, DihedralGroup, SymmetricGroup

from ib_bench import data
from ib_bench.errors import BenchError, InvalidOptionError
from ib_bench.results.records import ClassSpec, DataSpec, Experiment
from ib_bench.results.trial_record import TrialConfig
from ib_bench.tasks import FiniteGroup, ModularAddition, PermutationComposition
from ib_bench.tasks.finite_state_machine import FiniteStateMachine
from ib_bench.training.instantiation import instantiate_data
from ib_bench.training.sources import source_digests
from ib_bench.training.trial import run_trial

SYMPYS = {
    **{f"Z{n}": CyclicGroup(n) for n in (2, 3, 5, 12)},
    **{f"D{n}": DihedralGroup(n) for n in (3, 4, 7)},
    **{f"S{n}": SymmetricGroup(n) for n in (2, 3, 4, 5)},
    **{f"A{n}": AlternatingGroup(n) for n in (3, 4, 5)},
}


def sympys_product(*groups: PermutationGroup) -> PermutationGroup:
    product = groups[0]
    for group in groups[1:]:
        product = product * group  # the direct product
    return product


def quaternions() -> FpGroup:
    free, i, j = free_group("i, j")
    return FpGroup(free, [i**4, i**2 * j**-2, j**-1 * i * j * i])


def as_permutations(task: FiniteGroup) -> PermutationGroup:
    """What the generators do to elements, as sympy's group; its search for isomorphisms wants few of them."""
    return PermutationGroup([Permutation(task.table.product[one].tolist()) for one in task.table.generators])


@pytest.mark.parametrize("name", SYMPYS)
def test_named_groups_are_sympys(name: str) -> None:
    task, theirs = FiniteGroup(name), SYMPYS[name]
    ours = as_permutations(task)
    assert ours.order() == task.num_states == theirs.order()
    assert task.table.is_abelian == theirs.is_abelian
    assert task.table.is_solvable == theirs.is_solvable
    if theirs.order() <= 24:
        assert is_isomorphic(ours, theirs)


@pytest.mark.parametrize("name", SYMPYS)
def test_the_action_multiplies_as_the_table_does(name: str) -> None:
    table = FiniteGroup(name).table
    assert table.action is not None
    for a, b in torch.randint(len(table.product), (50, 2), generator=torch.Generator().manual_seed(0)).tolist():
        assert torch.equal(table.action[table.product[a, b]], table.action[a][table.action[b]])  # b first


@pytest.mark.parametrize("name", ["Z5", "D4", "A4", "S4"])
def test_the_elements_are_sympys(name: str) -> None:
    action = FiniteGroup(name).table.action
    assert action is not None
    assert sorted(action.tolist()) == sorted(element.array_form for element in SYMPYS[name].generate())


def test_quaternions_have_their_presentation() -> None:
    ours = as_permutations(FiniteGroup("Q8"))
    assert ours.order() == 8
    assert is_isomorphic(ours, quaternions())


@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("Z2xZ4", sympys_product(CyclicGroup(2), CyclicGroup(4))),
        ("Z2xZ2xZ2", sympys_product(CyclicGroup(2), CyclicGroup(2), CyclicGroup(2))),
        ("Z2xS3", sympys_product(CyclicGroup(2), SymmetricGroup(3))),
    ],
)
def test_direct_products(name: str, theirs: PermutationGroup) -> None:
    task = FiniteGroup(name)
    assert is_isomorphic(as_permutations(task), theirs)
    assert (task.table.is_abelian, task.table.is_solvable) == (theirs.is_abelian, theirs.is_solvable)


def test_products_of_generators_are_generators() -> None:
    task = FiniteGroup("A5xZ2", generators="standard")
    assert len(task.symbols) == 3
    assert not task.table.is_solvable
    assert task.num_states == 120


@pytest.mark.parametrize("name", ["D3", "D4", "S3", "S4", "S5", "A4", "A5", "A6", "Q8", "Z2xZ4"])
def test_standard_generators_generate(name: str) -> None:
    task = FiniteGroup(name, generators="standard")
    assert as_permutations(task).order() == task.num_states == len(task.table.product)
    assert task.num_symbols == 2
    assert not task.states_are_symbols


@pytest.mark.parametrize(("name", "point"), [("S4", 0), ("S5", 3), ("A5", 0), ("D4", 1), ("Z5", 2)])
def test_a_point_goes_where_the_element_takes_it(name: str, point: int) -> None:
    element = FiniteGroup(name)
    followed = FiniteGroup(name, point=point)
    symbols = torch.randint(element.num_symbols, (20, 7), generator=torch.Generator().manual_seed(0))
    action = element.table.action
    assert action is not None
    assert torch.equal(followed.trajectory(symbols), action[element.trajectory(symbols), point])
    assert followed.num_states == action.shape[1]
    assert followed.initial_state == point


@pytest.mark.parametrize(
    ("own", "group"),
    [(ModularAddition(5), "Z5"), (PermutationComposition(3), "S3"), (PermutationComposition(5), "S5")],
    ids=["Z5", "S3", "S5"],
)
def test_the_papers_tasks_are_groups(own: FiniteStateMachine, group: str) -> None:
    assert torch.equal(own.transition, FiniteGroup(group).transition)


@pytest.mark.parametrize("supervision", ["outcome", "chain_of_thought", "aligned_chain_of_thought"])
@pytest.mark.parametrize(
    ("own", "arguments", "group"),
    [(data.ModularAddition, {"modulus": 5}, "Z5"), (data.PermutationComposition, {"num_elements": 3}, "S3")],
    ids=["Z5", "S3"],
)
def test_runs_are_those_of_the_papers_tasks(
    own: type[data.ModularAddition], arguments: dict[str, int], group: str, supervision: str
) -> None:
    options = {"supervision": supervision, "max_length": 6, "num_train_sequences": 100}
    one, other = own(**arguments, **options), data.FiniteGroup(group=group, **options)
    for loaders in ((one.train_dataloader(), other.train_dataloader()), (one.val_dataloader(), other.val_dataloader())):
        for mine, theirs in zip(*loaders, strict=True):
            assert torch.equal(mine.tokens, theirs.tokens) and torch.equal(mine.targets, theirs.targets)
    assert (one.vocab_size, one.num_classes) == (other.vocab_size, other.num_classes)


@pytest.mark.system
def test_trials_are_those_of_the_papers_tasks() -> None:
    curves = []
    for name, arguments in (("ModularAddition", {"modulus": 5}), ("FiniteGroup", {"group": "Z5"})):
        presented = {"supervision": "outcome", "length_distribution": "uniform", "max_length": 4}
        experiment = Experiment(
            ClassSpec("ib_bench.models.DenseSSM", {"hidden_size": 8}),
            DataSpec(f"ib_bench.data.{name}", arguments | presented),
        )
        record = run_trial(TrialConfig(experiment, 64, 1e-2, 10, 1e-4, 20, 10, 1))
        curves.append(record.val_curve)
    assert len(curves[0]) == 2
    assert curves[0] == curves[1]


def write(path: Path, table: object) -> str:
    rows = table.tolist() if isinstance(table, torch.Tensor) else table
    path.write_text("\n".join(",".join(map(str, row)) for row in rows))  # type: ignore[attr-defined]
    return str(path)


@pytest.mark.parametrize("name", ["Z5", "D4", "Q8", "A5"])
def test_a_table_from_a_file(name: str, tmp_path: Path) -> None:
    named = FiniteGroup(name)
    order = torch.randperm(named.num_states, generator=torch.Generator().manual_seed(0))
    place = order.argsort()  # element e of the named group is number place[e] in the file
    table = place[named.table.product[order][:, order]]
    read = FiniteGroup(write(tmp_path / "group.csv", table))
    symbols = torch.randint(named.num_symbols, (9, 6), generator=torch.Generator().manual_seed(1))
    assert read.initial_state == int(place[0])
    assert torch.equal(read.trajectory(place[symbols]), place[named.trajectory(symbols)])
    assert read.properties()["solvable"] == named.properties()["solvable"]


def test_the_content_of_a_table_is_part_of_the_key(tmp_path: Path) -> None:
    file = tmp_path / "group.csv"
    digests = []
    for name in ("Z4", "Z2xZ2"):
        spec = DataSpec("ib_bench.data.FiniteGroup", {"group": write(file, FiniteGroup(name).table.product)})
        digests.append(source_digests(spec, data=instantiate_data(spec)))
    assert digests[0].keys() == digests[1].keys() == {"file group.csv"}
    assert digests[0] != digests[1]


Z3 = [[0, 1, 2], [1, 2, 0], [2, 0, 1]]
LOOP = [[0, 1, 2, 3, 4], [1, 0, 3, 4, 2], [2, 4, 0, 1, 3], [3, 2, 4, 0, 1], [4, 3, 1, 2, 0]]  # a quasigroup with 1


@pytest.mark.parametrize(
    ("table", "fault"),
    [
        (Z3[:2], "it has 2 rows, but row 0 has 3 entries"),
        ([[0]], "it must have 2 to 5,040 rows, got 1"),
        ([[0, 1, 2], [1, 2, 0], [2, 0, 3]], r"products must be in 0\.\.2, got 0\.\.3"),
        ([[0, 1, 2], [1, 2, 0], [2, 0, -1]], r"products must be in 0\.\.2, got -1\.\.2"),
        ([[0, 1], [1, 10**30]], r"products must be in 0\.\.1, got 0\.\.10{30}"),
        ([[1, 0], [1, 0]], "no element is neutral"),
        ([[0, 1], [1, 1]], "element 1 has no inverse"),
        (LOOP, r"\(\d \* \d\) \* \d is \d, but \d \* \(\d \* \d\) is \d"),
    ],
)
def test_tables_of_no_group(table: list[list[int]], fault: str, tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=f"group table .* is not that of a group: {fault}"):
        FiniteGroup(write(tmp_path / "no.csv", table))


def test_files_that_hold_no_table(tmp_path: Path) -> None:
    (tmp_path / "words.csv").write_text("a,b\nb,a\n")
    with pytest.raises(BenchError, match="must hold integers separated by commas"):
        FiniteGroup(str(tmp_path / "words.csv"))
    with pytest.raises(BenchError, match="cannot be opened"):
        FiniteGroup(str(tmp_path / "none.csv"))


@pytest.mark.parametrize("name", ["F20", "Z1", "D2", "S8", "A2", "Z2x", "z5", "Z2xZ", "Q4", "", "S0", "Z02"])
def test_unknown_names(name: str) -> None:
    with pytest.raises(InvalidOptionError, match=r"group must be Zn, Dn .*, or the path of a .csv file, got"):
        FiniteGroup(name)


def test_groups_that_are_too_large() -> None:
    with pytest.raises(InvalidOptionError, match="group must be a group of at most 5,040 elements"):
        FiniteGroup("S7xZ2")


@pytest.mark.parametrize(
    ("group", "generators", "allowed"),
    [
        ("S4", [0, 24], r"different numbers in 0\.\.23"),
        ("S4", [1, 1], "different numbers"),
        ("Z5", "standard", r"at least 2 elements, such as \[1, 0\]"),
        ("Z4", [0, 2], "elements that generate all 4 of Z4, not 2 of them"),
        ("Z4", "usual", "null, 'standard' or a list of element numbers"),
    ],
)
def test_generators_that_do_not_work(group: str, generators: list[int] | str, allowed: str) -> None:
    with pytest.raises(InvalidOptionError, match=allowed):
        FiniteGroup(group, generators=generators)


@pytest.mark.parametrize(("group", "point"), [("Q8", 0), ("Z2xZ4", 0), ("S4", 4), ("S4", -1)])
def test_points_that_there_are_not(group: str, point: int) -> None:
    with pytest.raises(InvalidOptionError, match="point must be null"):
        FiniteGroup(group, point=point)
