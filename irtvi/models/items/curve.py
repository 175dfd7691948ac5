"""Models in which ability acts through a curve that is dear to compute: it is computed once for all categories."""

from abc import abstractmethod
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from irtvi.models.items.item_model import CategoricalModel, Facts, Parameters


class CurveModel(CategoricalModel):
    """Log-probabilities of categories from the height of a curve at a person's ability.

    Attributes
    ----------
    of_the_curve : tuple of str
        The parameters that the curve depends on.
    """

    of_the_curve: ClassVar[tuple[str, ...]]

    @abstractmethod
    def curve(
        self, theta: Float[Tensor, "*#batch"], params: Parameters, facts: Facts
    ) -> Float[Tensor, "*#batch"]:
        """Height of the curve."""

    @abstractmethod
    def of_height(
        self, height: Float[Tensor, "*#batch"], params: Parameters, facts: Facts
    ) -> Float[Tensor, "*#batch categories"]:
        """Log-probability of every category at that height; parameters of the curve alone are not read."""

    def curve_slopes(
        self, theta: Float[Tensor, "nodes 1"], params: Parameters, facts: Facts
    ) -> dict[str, Float[Tensor, "nodes members *size"]]:
        """Derivative of the curve by each of its parameters, at abilities that all items share.

        A model that knows a faster way overrides this; the contract tests compare it with the formula.
        """
        with torch.enable_grad():
            copies = {
                name: params[name].detach().expand(len(theta), *params[name].shape).requires_grad_(True)
                for name in self.of_the_curve
            }
            height = self.curve(theta, params | copies, facts)
            found = torch.autograd.grad(height.sum(), list(copies.values()), materialize_grads=True)
        return dict(zip(copies, found, strict=True))

    def log_probs(
        self, theta: Float[Tensor, "*#batch dims"], params: Parameters, facts: Facts
    ) -> Float[Tensor, "*#batch categories"]:
        return self.of_height(self.curve(theta[..., 0], params, facts), params, facts)
