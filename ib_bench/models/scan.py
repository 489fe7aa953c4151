"""Parallel forms of linear recurrences, in plain torch.

Both scans compute in float32 at least, also under mixed precision: products of many transitions are what a model that
tracks states depends on.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import cast

import torch
from torch import Tensor

from ib_bench.models.full_precision import full_precision


def affine_scan(transition: Tensor, inputs: Tensor, state: Tensor) -> Tensor:
    r"""All states of :math:`h_t = A_t h_{t-1} + b_t`.

    Step by step on a CPU, where that is several times faster (`make bench NAMES=scans`), in logarithmically many steps
    elsewhere.

    Args:
        transition: ``(batch, length, *, n)`` if A_t is diagonal; ``(batch, length, *, n, n)``, indexed [to, from], if
            it is a matrix.
        inputs: ``(batch, length, *, n)``, b_t.
        state: ``(batch, *, n)``, h_0.

    Returns:
        ``(batch, length, *, n)``, of the type of ``inputs``; complex if any argument is.
    """
    scan = affine_steps if inputs.device.type == "cpu" else affine_doubling
    with full_precision(inputs.device):
        dtype = _common_type(transition, inputs, state)
        states = scan(transition.to(dtype), inputs.to(dtype), state.to(dtype))
    return states if states.is_complex() else states.to(inputs.dtype)


def affine_steps(transition: Tensor, inputs: Tensor, state: Tensor) -> Tensor:
    """:func:`affine_scan` step by step."""
    apply = torch.mul if transition.dim() == inputs.dim() else _matrix_by_vector
    visited = []
    for step, added in zip(transition.unbind(dim=1), inputs.unbind(dim=1), strict=True):
        state = apply(step, state) + added
        visited.append(state)
    return torch.stack(visited, dim=1)


def affine_doubling(transition: Tensor, inputs: Tensor, state: Tensor) -> Tensor:
    r""":func:`affine_scan` in :math:`\lceil\log_2 L\rceil` steps for L tokens.

    Each step doubles the number of tokens that a pair (A, b) stands for.
    """
    is_diagonal = transition.dim() == inputs.dim()
    apply = torch.mul if is_diagonal else _matrix_by_vector
    compose: Callable[[Tensor, Tensor], Tensor] = torch.mul if is_diagonal else torch.matmul
    first = inputs[:, :1] + apply(transition[:, :1], state[:, None])
    inputs = torch.cat([first, inputs[:, 1:]], dim=1)
    length, reach = inputs.shape[1], 1
    while reach < length:
        later = transition[:, reach:]
        inputs = torch.cat([inputs[:, :reach], inputs[:, reach:] + apply(later, inputs[:, :-reach])], dim=1)
        transition = torch.cat([transition[:, :reach], compose(later, transition[:, :-reach])], dim=1)
        reach *= 2
    return inputs


def key_value_scan(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    log_decay: Tensor | None,
    state: Tensor | None,
    erase: Tensor | None = None,
    num_substeps: int = 1,
    chunk_size: int = 16,
) -> tuple[Tensor, Tensor]:
    r"""Read queries from a matrix that every substep decays, erases and writes to, chunk by chunk.

    .. math::
        \tilde S_i = D_i S_{i-1}, \qquad
        S_i = \tilde S_i + k_i (v_i - \tilde S_i^\top e_i)^\top, \qquad o_t = S_{n t}^\top q_t,

    where :math:`D_i = \mathrm{diag}(\exp(\mathit{log\_decay}_i))` and every token has n substeps. Without ``erase`` the
    second term is :math:`k_i v_i^\top`. Within a chunk, with :math:`P_i = D_i \cdots D_1`, what is written,
    :math:`w_i = v_i - \tilde S_i^\top e_i`, solves the triangular system

    .. math:: w_i + \sum_{j<i} \big(e_i^\top P_i P_j^{-1} k_j\big)\, w_j = v_i - S_0^\top P_i e_i .

    Args:
        query: ``(..., length, d_k)``.
        key: ``(..., length * n, d_k)``.
        value: ``(..., length * n, d_v)``.
        log_decay: ``(..., length * n, 1)``, at most 0; or ``(..., length * n, d_k)``, one for each row of S, whose sum
            over a chunk must stay above -80. None if nothing decays.
        state: ``(..., d_k, d_v)``, the matrix before the first token; None if it is zero.
        erase: ``(..., length * n, d_k)``.
        num_substeps: n, at least 1.
        chunk_size: substeps that are computed at once, though at least a token's (16 to 32 are fastest on a CPU).

    Leading dimensions may be 1 where the others have more: queries and keys that heads share are computed once.

    Returns:
        Outputs ``(..., length, d_v)``, of the type of ``value``, and the matrix after the last token. They are complex
        if any argument is; nothing is conjugated.
    """
    outputs = []
    with full_precision(query.device):
        dtype = _common_type(query, key, value, state, erase)
        returned = dtype if dtype.is_complex else value.dtype
        query, key, value = query.to(dtype), key.to(dtype), value.to(dtype)
        state = None if state is None else state.to(dtype)
        num_tokens = max(1, chunk_size // num_substeps)
        for start in range(0, query.shape[-2], num_tokens):
            of_tokens = slice(start, start + num_tokens)
            of_substeps = slice(start * num_substeps, (start + num_tokens) * num_substeps)
            q, k, written = query[..., of_tokens, :], key[..., of_substeps, :], value[..., of_substeps, :]
            decay = None
            if log_decay is not None:
                decay = log_decay[..., of_substeps, :].cumsum(dim=-2, dtype=_common_type(log_decay))
            if erase is not None:
                e = erase[..., of_substeps, :].to(dtype)
                if state is not None:
                    written = written - _read(state, e, decay)
                system = _decayed_products(e, decay, k, decay, diagonal=-1)
                written = torch.linalg.solve_triangular(system, written, upper=False, unitriangular=True)
            seen = None if decay is None else decay[..., num_substeps - 1 :: num_substeps, :]
            # query t sees the substeps up to its own last one
            weights = _decayed_products(q, seen, k, decay, diagonal=num_substeps - 1, stride=num_substeps)
            outputs.append(weights @ written if state is None else _read(state, q, seen) + weights @ written)
            state = _after(state, k, written, decay)
        return torch.cat(outputs, dim=-2).to(returned), cast(Tensor, state)


def _read(state: Tensor, rows: Tensor, decay: Tensor | None) -> Tensor:
    """What rows read from the decayed state."""
    if decay is None:
        return rows @ state
    return decay.exp() * (rows @ state) if decay.shape[-1] == 1 else (rows * decay.exp()) @ state


def _after(state: Tensor | None, key: Tensor, written: Tensor, decay: Tensor | None) -> Tensor:
    """The state after a chunk."""
    if decay is None:
        added = key.mT @ written
        return added if state is None else state + added
    last = decay[..., -1:, :]
    left = (last - decay).exp()
    added = key.mT @ (left * written) if decay.shape[-1] == 1 else (key * left).mT @ written
    return added if state is None else last.exp().mT * state + added


def _decayed_products(
    rows: Tensor,
    row_decay: Tensor | None,
    columns: Tensor,
    column_decay: Tensor | None,
    diagonal: int,
    stride: int = 1,
) -> Tensor:
    """``rows[i] . exp(row_decay[i] - column_decay[j]) columns[j]`` where ``j <= stride * i + diagonal``, else 0."""
    row = torch.arange(rows.shape[-2], device=rows.device)[:, None]
    future = torch.arange(columns.shape[-2], device=rows.device) > stride * row + diagonal
    if row_decay is None or column_decay is None:
        return (rows @ columns.mT).masked_fill(future, 0)
    if row_decay.shape[-1] == 1:
        exponent = (row_decay - column_decay.mT).masked_fill(future, -torch.inf)
        return (rows @ columns.mT) * exponent.exp()
    products = (rows * row_decay.exp()) @ (columns * (-column_decay).exp()).mT
    return products.masked_fill(future, 0)


def _matrix_by_vector(matrix: Tensor, vector: Tensor) -> Tensor:
    return (matrix @ vector[..., None]).squeeze(-1)


def _common_type(*arguments: Tensor | None) -> torch.dtype:
    """A type that holds all arguments and has the bits of float32 at least."""
    types = [argument.dtype for argument in arguments if argument is not None]
    return reduce(torch.promote_types, types, torch.float32)
