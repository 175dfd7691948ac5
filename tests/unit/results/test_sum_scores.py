"""Sum scores against the sum over all patterns."""

import itertools

import numpy as np
import pandas as pd
import pytest
import torch

import irtvi
from irtvi.errors import SpecificationError
from irtvi.inference.engines.engine import Data
from irtvi.inference.table import coefficient_table
from irtvi.models.specification import Specification, build
from irtvi.responses.cells import DenseCells
from irtvi.results.scoring import NO_ANSWER
from irtvi.results.sum_scores import eap_sum, sum_score_table

DENSE = torch.linspace(-9.0, 9.0, 2001, dtype=torch.float64)


def by_enumeration(model, free, values, answered):
    """Score -> (mean, sd, probability) from every pattern of answers to the items answered."""
    probabilities = coefficient_table(model, DENSE[:, None], free).exp()
    density = torch.softmax(-0.5 * DENSE.square(), 0)
    sums = {}
    for pattern in itertools.product(*[range(int(model.n_categories[j])) for j in answered]):
        columns = [int(model.columns.offset[j]) + code for j, code in zip(answered, pattern, strict=True)]
        score = round(sum(values[j][code] for j, code in zip(answered, pattern, strict=True)), 9)
        sums[score] = sums.get(score, 0) + probabilities[:, columns].prod(1)
    out = {}
    for score, likelihood in sums.items():
        joint = likelihood * density
        mean = (joint @ DENSE) / joint.sum()
        out[score] = (
            float(mean),
            float(((joint @ (DENSE - mean).square()) / joint.sum()).sqrt()),
            float(joint.sum()),
        )
    return out


def fives(simulated):
    return simulated(40, 5, missing=0.3, model="3pl", c=0.2, seed=9)


def test_table_of_dichotomous_items(simulated):
    case = fives(simulated)
    table = sum_score_table(case.model, case.free, torch.tensor([[0.0, 1.0]] * 5, dtype=torch.float64))
    judge = by_enumeration(case.model, case.free, [[0, 1]] * 5, range(5))
    assert table.score.tolist() == [0, 1, 2, 3, 4, 5]
    for k, score in enumerate(table.score.tolist()):
        found = float(table.theta[k]), float(table.sd[k]), float(table.probability[k])
        assert found == pytest.approx(judge[score], abs=1e-6)


def test_every_set_of_answered_items_has_its_own_recursion(simulated):
    case = fives(simulated)
    values = [[0.0, 1.0], [1.0, 2.0], [0.0, 2.0], [-1.0, 0.5], [0.0, 1.0]]
    found = eap_sum(case.model, case.free, case.data.cells, case.data.groups, torch.tensor(values, dtype=torch.float64))
    assert len({tuple((row >= 0).tolist()) for row in case.codes}) > 10
    for i, row in enumerate(case.codes.tolist()):
        answered = [j for j in range(5) if row[j] >= 0]
        if not answered:
            assert found.status[i] == NO_ANSWER
            continue
        judge = by_enumeration(case.model, case.free, values, answered)
        mean, sd, _ = judge[round(sum(values[j][row[j]] for j in answered), 9)]
        assert found.theta[i].item() == pytest.approx(mean, abs=1e-6)
        assert found.sd[i].item() == pytest.approx(sd, abs=1e-6)


def test_somebody_without_answers_keeps_the_population(simulated):
    case = fives(simulated)
    cells = DenseCells(torch.full((1, 5), -1, dtype=torch.int8))
    values = torch.tensor([[0.0, 1.0]] * 5, dtype=torch.float64)
    found = eap_sum(case.model, case.free, cells, torch.zeros(1, dtype=torch.long), values)
    assert found.theta.item() == pytest.approx(0.0, abs=1e-9)
    assert found.sd.item() == pytest.approx(1.0, abs=1e-6)
    assert found.status.tolist() == [NO_ANSWER]


def test_items_with_different_numbers_of_categories():
    rng = np.random.default_rng(3)
    ability = rng.standard_normal(300)
    frame = pd.DataFrame(
        {
            "two": (ability + rng.standard_normal(300) > 0).astype(int),
            "three": np.digitize(ability + rng.standard_normal(300), [-0.5, 0.8]),
            "four": np.digitize(ability + rng.standard_normal(300), [-1, 0, 1]) + 1,
        }
    )
    responses = irtvi.read(frame)
    built = build(Specification("gpcm"), responses)
    data = Data.of(responses, built.item_models, torch.device("cpu"))
    free = built.model.start()
    values = [[0, 1], [0, 1, 2], [1, 2, 3, 4]]
    padded = torch.tensor([[0, 1, 9, 9], [0, 1, 2, 9], [1, 2, 3, 4]], dtype=torch.float64)
    table = sum_score_table(built.model, free, padded)
    judge = by_enumeration(built.model, free, values, range(3))
    assert table.score.tolist() == [1, 2, 3, 4, 5, 6, 7]
    for k, score in enumerate(table.score.tolist()):
        found = float(table.theta[k]), float(table.sd[k]), float(table.probability[k])
        assert found == pytest.approx(judge[score], abs=1e-6)
    persons = eap_sum(built.model, free, data.cells, data.groups, padded)
    for i, score in enumerate(frame.sum(axis=1)[:20]):
        assert persons.theta[i].item() == pytest.approx(judge[score][0], abs=1e-6)


def test_values_without_a_common_step_are_named(simulated):
    case = fives(simulated)
    values = torch.tensor([[0.0, x] for x in (1.0, 2**0.5, 3**0.5, 5**0.5, 7**0.5)], dtype=torch.float64)
    with pytest.raises(SpecificationError, match="common step"):
        sum_score_table(case.model, case.free, values)
