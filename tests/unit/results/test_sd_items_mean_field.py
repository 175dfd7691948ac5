"""What a mean-field posterior of the items adds to a person's sd."""

import torch

import irtvi
from irtvi.inference.engines.engine import Data
from irtvi.inference.item_posterior import DiagonalCurvature, FullCurvature
from irtvi.inference.item_uncertainty import sd_items


def test_independent_variances_are_a_diagonal_covariance() -> None:
    result = irtvi.fit(irtvi.load_data("lsat7").head(200), model="2pl")
    data = Data.of(result.responses_of(None), result.item_models, torch.device("cpu"))
    variance = torch.linspace(0.01, 0.1, len(result.posterior.free), dtype=torch.float64)

    def added(curvature: DiagonalCurvature | FullCurvature) -> torch.Tensor:
        moments = result.posterior.persons
        return sd_items(result.model, result.posterior.free, curvature, data.cells, data.groups, moments)

    full = added(FullCurvature(torch.diag(variance.rsqrt())))
    torch.testing.assert_close(added(DiagonalCurvature(variance)), full, rtol=1e-5, atol=1e-6)
