"""Blocks less a matrix of low rank, against the dense inverse."""

import torch

from irtvi.inference.item_posterior import BlockCurvature, CoupledCurvature


def parts(generator, strength):
    """Three items of two parameters, the last one held at its second."""
    root = torch.randn(3, 2, 2, generator=generator, dtype=torch.float64)
    blocks = root @ root.transpose(1, 2) + 2 * torch.eye(2, dtype=torch.float64)
    index = torch.tensor([[0, 1], [2, 3], [4, -1]])
    blocks[2] = torch.diag(torch.tensor([3.0, 1.0], dtype=torch.float64))
    dense = torch.zeros(5, 5, dtype=torch.float64)
    dense[:2, :2], dense[2:4, 2:4], dense[4, 4] = blocks[0], blocks[1], 3.0
    common = strength * torch.randn(5, 2, generator=generator, dtype=torch.float64)
    return BlockCurvature([torch.linalg.inv(blocks)], [index], 5), common, dense - common @ common.T


def test_solves_and_variances_are_those_of_the_dense_matrix(generator):
    blocks, common, dense = parts(generator, 0.4)
    coupled = CoupledCurvature.of(blocks, common)
    assert coupled is not None
    gradient = torch.randn(5, generator=generator, dtype=torch.float64)
    torch.testing.assert_close(coupled.solve(gradient), torch.linalg.solve(dense, gradient))
    torch.testing.assert_close(coupled.covariance_diagonal(), torch.linalg.inv(dense).diagonal())
    torch.testing.assert_close(coupled.within_items().inverses[0][0], torch.linalg.inv(dense)[:2, :2])
    torch.testing.assert_close(coupled.within_items().inverses[0][1], torch.linalg.inv(dense)[2:4, 2:4])


def test_what_is_not_positive_definite_is_refused(generator):
    blocks, common, _ = parts(generator, 4.0)
    assert CoupledCurvature.of(blocks, common) is None
