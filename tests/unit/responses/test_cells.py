"""Dense and sparse cells say the same."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from irtvi.responses.cells import Cells, DenseCells, cells_of

matrices = arrays(np.int8, array_shapes(min_dims=2, max_dims=2, max_side=12), elements=st.integers(-1, 3))


def both(matrix: np.ndarray) -> list[Cells]:
    dense = DenseCells(torch.from_numpy(matrix))
    return [dense, dense.to_sparse()]


@given(matrices)
def test_both_forms_agree_with_numpy(matrix):
    persons, items = np.nonzero(matrix >= 0)
    values = np.random.default_rng(0).normal(size=(matrix.shape[1], 4))
    lookup = torch.tensor([[2, -1, 0, 1]] * matrix.shape[1], dtype=torch.int8)
    for cells in both(matrix):
        assert (cells.n_persons, cells.n_items) == matrix.shape
        assert cells.n_responses == len(persons)
        assert cells.density == pytest.approx(len(persons) / matrix.size)
        assert cells.n_answered().tolist() == (matrix >= 0).sum(1).tolist()
        assert [x.tolist() for x in cells.pairs()] == [
            x.tolist() for x in (persons, items, matrix[persons, items])
        ]
        for n_categories in (2, 4, 20):
            expected = np.stack([(matrix == code).sum(0) for code in range(n_categories)], 1)
            assert cells.counts(n_categories).numpy().tolist() == expected.tolist()
        recoded = np.choose(matrix + 1, [-1, 2, -1, 0, 1])
        assert cells.recode(lookup).to_dense().codes.numpy().tolist() == recoded.tolist()
        expected = np.where(matrix >= 0, values[np.arange(matrix.shape[1]), matrix], 0).sum(1)
        np.testing.assert_allclose(
            cells.sum_of(torch.from_numpy(values)).numpy(), expected, rtol=0, atol=1e-12
        )
        assert cells.to_dense().codes.numpy().tolist() == matrix.tolist()
        assert cells.to_sparse().to_dense().codes.numpy().tolist() == matrix.tolist()


@given(matrices, st.randoms(use_true_random=False))
def test_rows_and_columns_are_taken_in_the_given_order(matrix, random):
    rows = [random.randrange(matrix.shape[0]) for _ in range(5)]
    columns = random.sample(range(matrix.shape[1]), matrix.shape[1])[: random.randint(1, matrix.shape[1])]
    for cells in both(matrix):
        assert cells.take(torch.tensor(rows)).to_dense().codes.numpy().tolist() == matrix[rows].tolist()
        taken = cells.take_items(torch.tensor(columns))
        assert taken.to_dense().codes.numpy().tolist() == matrix[:, columns].tolist()
        back = taken.spread(torch.tensor(columns), matrix.shape[1]).to_dense().codes.numpy()
        assert back[:, columns].tolist() == matrix[:, columns].tolist()
        assert (np.delete(back, columns, axis=1) == -1).all()


@given(matrices)
def test_transpose_lists_persons_by_item(matrix):
    offsets, persons, codes = both(matrix)[1].transpose()
    for item in range(matrix.shape[1]):
        part = slice(offsets[item], offsets[item + 1])
        assert persons[part].tolist() == np.flatnonzero(matrix[:, item] >= 0).tolist()
        assert codes[part].tolist() == matrix[matrix[:, item] >= 0, item].tolist()


@pytest.mark.parametrize("n_items", [2, 40])
def test_answers_in_any_order_become_the_same_cells(n_items):
    rng = np.random.default_rng(1)
    flat = rng.choice(30 * n_items, size=50, replace=False)
    codes = torch.from_numpy(rng.integers(0, 3, 50).astype(np.int8))
    persons, items = torch.from_numpy(flat // n_items), torch.from_numpy(flat % n_items)
    matrix = np.full((30, n_items), -1)
    matrix[flat // n_items, flat % n_items] = codes.numpy()
    cells = cells_of(persons, items, codes, 30, n_items)
    assert isinstance(cells, DenseCells) == (n_items == 2)
    assert cells.to_dense().codes.numpy().tolist() == matrix.tolist()


def test_many_rows_are_counted_right():
    matrix = torch.from_numpy(np.random.default_rng(2).integers(-1, 2, (1_000, 3)).astype(np.int8))
    expected = [[int((matrix[:, j] == k).sum()) for k in range(2)] for j in range(3)]
    assert DenseCells(matrix).counts(2).tolist() == expected


@pytest.mark.parametrize("missing", [0.2, 0.95])
def test_keep_some_answers(missing):
    generator = torch.Generator().manual_seed(5)
    codes = torch.randint(0, 3, (50, 40), generator=generator).to(torch.int8)
    codes[torch.rand(codes.shape, generator=generator) < missing] = -1
    for cells in (DenseCells(codes), DenseCells(codes).to_sparse()):
        chosen = torch.rand(cells.n_responses, generator=generator) < 0.5
        persons, items, given = cells.pairs()
        kept = cells.keep(chosen)
        assert [t.tolist() for t in kept.pairs()] == [t[chosen].tolist() for t in (persons, items, given)]
