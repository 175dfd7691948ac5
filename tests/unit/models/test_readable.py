"""Readable columns of curves without named parameters, on curves where the answer is known."""

import torch
from scipy.optimize import brentq

from irtvi.models.derivatives import slot_derivatives
from irtvi.models.items import Facts
from irtvi.models.items.dichotomous import FourPL, ThreePL, TwoPL
from irtvi.models.items.readable import FAR, curve_columns

FACTS = Facts(torch.tensor([2, 2, 2]), torch.tensor([-1, -1, -1]))


def two_pl(a, d):
    return {"a": torch.tensor(a, dtype=torch.float64)[:, None], "d": torch.tensor(d, dtype=torch.float64)}


def test_steep_two_parameter_curves_give_back_their_parameters():
    params = two_pl([3.0, 4.0, -3.0], [1.5, -4.0, 0.0])
    columns = curve_columns(TwoPL(), params, FACTS)
    torch.testing.assert_close(columns["difficulty"], -params["d"] / params["a"][:, 0], atol=1e-6, rtol=0)
    torch.testing.assert_close(columns["slope"], params["a"][:, 0], atol=1e-4, rtol=0)
    torch.testing.assert_close(columns["asymmetry"], torch.zeros(3, dtype=torch.float64), atol=1e-5, rtol=0)


def test_asymptotes_of_a_four_parameter_curve():
    params = two_pl([3.0, 3.0, 3.0], [0.0, 1.0, -1.0])
    params |= {"c": torch.full((3,), 0.2, dtype=torch.float64), "u": torch.full((3,), 0.9, dtype=torch.float64)}
    columns = curve_columns(FourPL(), params, FACTS)
    torch.testing.assert_close(columns["lower_asymptote"], params["c"], atol=1e-6, rtol=0)
    torch.testing.assert_close(columns["upper_asymptote"], params["u"], atol=1e-6, rtol=0)
    torch.testing.assert_close(columns["difficulty"], -params["d"] / 3.0, atol=1e-6, rtol=0)


def test_difficulty_solves_its_equation_where_curves_are_flat():
    params = two_pl([0.4, 0.4, 0.4], [-0.5, 0.0, 0.5])
    columns = curve_columns(TwoPL(), params, FACTS)

    def share(theta):
        return torch.sigmoid(0.4 * torch.tensor(theta, dtype=torch.float64) - 0.5)

    middle = 0.5 * (share(-FAR) + share(FAR))
    assert abs(float(columns["difficulty"][0]) - brentq(lambda t: float(share(t) - middle), -6, 6)) < 1e-7


def test_derivatives_agree_with_differences():
    params = two_pl([0.8, 1.2, 2.0], [0.4, -0.6, 0.0]) | {"c": torch.tensor([0.1, 0.2, 0.3], dtype=torch.float64)}

    def columns(d):
        return torch.stack(list(curve_columns(ThreePL(), params | {"d": d}, FACTS).values()), -1)

    step = 1e-5
    (slope,) = slot_derivatives(lambda values: columns(values[:, 0]), params["d"][:, None])
    differences = (columns(params["d"] + step) - columns(params["d"] - step)) / (2 * step)
    torch.testing.assert_close(slope, differences, rtol=1e-6, atol=1e-7)


def test_a_curve_that_never_passes_half_way_has_no_difficulty():
    columns = curve_columns(TwoPL(), two_pl([0.0, 1.0, 1.0], [0.3, 0.0, 0.0]), FACTS)
    assert torch.isnan(columns["difficulty"][0])
    assert torch.isfinite(columns["difficulty"][1:]).all()
