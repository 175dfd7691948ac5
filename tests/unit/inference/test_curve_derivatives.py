"""Derivatives through a curve that a model knows by itself, beside those of the whole formula."""

import pytest
import torch

import irtvi
from irtvi.inference.table import component_derivatives
from irtvi.models.derivatives import finite, slot_derivatives
from irtvi.models.items.curve import CurveModel

LOG_NORMAL = {"a": irtvi.priors.LogNormal(0.0, 0.5)}


@pytest.mark.parametrize(
    ("model", "truth", "settings"),
    [
        ("monotone", "2pl", {}),
        ("monotone", "grm", {}),
        ("link", "2pl", {}),
        ("link", "2pl", {"priors": LOG_NORMAL}),
        ("deep", "2pl", {}),
        ("residual", "2pl", {}),
        ("residual", "grm", {}),
    ],
)
def test_the_way_through_the_curve_is_the_derivative_of_the_formula(generator, model, truth, settings):
    answers = irtvi.simulate(truth, 300, 6, n_categories=4 if truth == "grm" else None, seed=1).responses
    posterior = irtvi.fit(answers, model=model, **settings).posterior
    component = posterior.model.components[0]
    assert isinstance(component.item_model, CurveModel)
    theta = torch.linspace(-5, 5, 23, dtype=torch.float64)[:, None]
    values = component.slots.free_values(posterior.free)
    values = values + 0.2 * torch.randn(values.shape, generator=generator, dtype=torch.float64)
    plain = slot_derivatives(lambda slots: component.coefficients(theta, slots), values)
    for found, expected in zip(component_derivatives(component, theta, values), plain, strict=True):
        torch.testing.assert_close(found, finite(expected), rtol=1e-11, atol=1e-12)
