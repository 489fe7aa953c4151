"""Copies of a model with other weights, on which its contract is checked.

A head or a gate that starts at zero hides what the rest of a model does. On copies whose parameters are moved a little,
both ways, so that the sign of none hides anything either, it shows. They compute in float64 where the model can, so
that rounding is no excuse for a difference.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from types import CellType, FunctionType, MethodType
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ib_bench.models.packing import PackedBatch
from ib_bench.models.sequence_model import SequenceModel

_RELATIVE = 0.1  # of the root mean square of a parameter
_ABSOLUTE = 0.02  # for parameters at or near zero: the size of GPT-2's initialisation
_SEED = 0

_TOLERANCES = {torch.float64: 1e-10, torch.float32: 1e-5}
_LOW_TOLERANCE = 2e-2  # 16 bits


class Probe:
    """A copy of a model in eval mode, whose logits are compared.

    Args:
        model: the copy.
        dtype: of its parameters.
        tokens: int64 ``(batch, length)``.

    Attributes:
        tokens: these.
        logits: of ``tokens``, ``(batch, length, num_classes)``.
    """

    def __init__(self, model: SequenceModel, dtype: torch.dtype, tokens: Tensor) -> None:
        self.model, self._dtype, self.tokens = model.eval(), dtype, tokens
        self._lowest: torch.dtype | None = None
        self.logits = self(tokens)

    def __call__(self, tokens: Tensor) -> Tensor:
        """Logits ``(batch, length, num_classes)`` of int64 tokens ``(batch, length)``."""
        with default_dtype(self._dtype):
            logits: Tensor = self.model(tokens.clone())
        return logits

    def on(self, tokens: Tensor) -> Probe:
        """The same copy, with logits of other tokens."""
        return Probe(self.model, self._dtype, tokens)

    def packed(self, batch: PackedBatch) -> Any:
        """What the copy's :meth:`~SequenceModel.packed_forward` returns."""
        with default_dtype(self._dtype):
            return self.model.packed_forward(batch)

    def differ(self, one: Tensor, other: Tensor) -> bool:
        """Whether logits of equal shapes differ by more than rounding."""
        scale = one.abs().max().clamp(min=1)
        error = float(((one - other).abs() / scale).nan_to_num(nan=torch.inf).max())
        if error <= _TOLERANCES[torch.float64]:
            return False
        if error > _LOW_TOLERANCE:
            return True
        if self._lowest is None:
            self._lowest = _lowest_precision(lambda: self(self.tokens))
        return error > _TOLERANCES.get(self._lowest, _LOW_TOLERANCE)


def copied(model: SequenceModel) -> SequenceModel | None:
    """A copy that shares nothing with the model; None if it cannot be copied."""
    try:
        made = copy.deepcopy(model)
    except Exception:
        return None
    modules = set(model.modules())
    functions = [value for one in made.modules() for value in vars(one).values() if isinstance(value, FunctionType)]
    if any(_uses(function, modules) for function in functions):
        return None  # it has the model's own function, such as torch.compile(self.forward), which uses the model
    return made


def _uses(function: FunctionType, modules: Collection[nn.Module]) -> bool:
    """Whether a function closes over one of some modules, also through other functions."""
    waiting: list[object] = [function]
    seen: set[int] = set()
    while waiting:
        value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, nn.Module) and value in modules:
            return True
        if isinstance(value, MethodType):
            waiting += [value.__self__, value.__func__]
        elif isinstance(value, FunctionType):
            filled = [cell for cell in value.__closure__ or () if cell != CellType()]
            waiting += [*(cell.cell_contents for cell in filled), *vars(value).values(), *(value.__defaults__ or ())]
    return False


def disturbed(model: SequenceModel) -> list[SequenceModel]:
    """Two copies whose trained parameters are moved by the same small noise, once forth and once back.

    Args:
        model: left as it is.

    Returns:
        The copies; none if the model cannot be copied.
    """
    pairs = [(copied(model), sign) for sign in (1, -1)]
    return [_moved(one, sign) for one, sign in pairs if one is not None]


def probes_of(model: SequenceModel, tokens: Tensor) -> list[Probe]:
    """A copy with the model's own weights, and disturbed ones.

    Args:
        model: left as it is; if it cannot be copied, it is the only probe itself.
        tokens: int64 ``(batch, length)``; a copy whose logits of these are not finite is left out.
    """
    own = copied(model)
    if own is None:
        return [Probe(model, dtype_of(model), tokens)]
    try:
        return _probes([_as_double(one) for one in (own, *disturbed(model))], torch.float64, tokens)
    except Exception:  # it insists on another type
        return _probes([one for one in (copied(model), *disturbed(model)) if one], dtype_of(model), tokens)


def _probes(models: list[SequenceModel], dtype: torch.dtype, tokens: Tensor) -> list[Probe]:
    own, *others = (Probe(one, dtype, tokens) for one in models)
    return [own, *(probe for probe in others if probe.logits.isfinite().all())]


def trainable_copies(model: SequenceModel) -> Iterator[SequenceModel]:
    """Copies that tell a gradient of zero from one that is zero at the start only, or too small for the model's type.

    Args:
        model: left as it is.
    """
    yield from disturbed(model)
    own = copied(model)
    yield from (_as_double(one) for one in (own, *disturbed(model)) if one is not None)


def _moved(model: SequenceModel, sign: int) -> SequenceModel:
    generator = torch.Generator().manual_seed(_SEED)
    with torch.no_grad():
        for parameter in model.parameters():
            dtype = torch.promote_types(parameter.dtype, torch.float32)
            noise = torch.randn(parameter.shape, generator=generator, dtype=dtype)
            if parameter.requires_grad:
                size = max(_RELATIVE * float(parameter.abs().square().mean().sqrt()), _ABSOLUTE)
                parameter.add_((sign * size * noise).to(parameter))
    return model


def _as_double(model: SequenceModel) -> SequenceModel:
    def as_double(tensor: Tensor) -> Tensor:
        if tensor.is_complex():
            return tensor.to(torch.complex128)
        return tensor.double() if tensor.is_floating_point() else tensor

    return cast(SequenceModel, model._apply(as_double))  # type: ignore[no-untyped-call]


def dtype_of(model: nn.Module) -> torch.dtype:
    """The type of a model's first real parameter; torch's default if there is none."""
    return next((one.dtype for one in model.parameters() if one.is_floating_point()), torch.get_default_dtype())


@contextmanager
def default_dtype(dtype: torch.dtype) -> Iterator[None]:
    """What a model makes on the way is of the type of its parameters."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


class _Precision(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Remembers the least precise type in which something was computed."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.lowest = torch.float64

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for one in tree_leaves(result):
            if isinstance(one, Tensor) and (one.is_floating_point() or one.is_complex()):
                real = one.dtype.to_real()
                if torch.finfo(real).eps > torch.finfo(self.lowest).eps:
                    self.lowest = real
        return result


def _lowest_precision(compute: Callable[[], object]) -> torch.dtype:
    precision = _Precision()
    try:
        with precision:
            compute()
    except Exception:  # code that cannot be looked into
        return torch.float32
    return precision.lowest
