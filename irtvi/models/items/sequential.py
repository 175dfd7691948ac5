"""The sequential model: one step after the other."""

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import logsigmoid, pad

from irtvi.models.items.dichotomous import SLOPE
from irtvi.models.items.item_model import Facts, Parameters, existing
from irtvi.models.items.stepwise import STEP_INTERCEPTS, Stepwise


class Sequential(Stepwise):
    """``P(y >= k | y >= k - 1) = sigmoid(a'theta + d_k)``: a step can be tried only after the one before."""

    name = "sequential"
    label = "sequential"
    reference = (
        "Tutz, G. (1990). Sequential item response models with an ordered response. "
        "British Journal of Mathematical and Statistical Psychology, 43, 39-55."
    )
    parameters = (SLOPE, STEP_INTERCEPTS)

    def of_steps(
        self, logits: Float[Tensor, "*batch steps"], params: Parameters, facts: Facts
    ) -> Float[Tensor, "*batch categories"]:
        passed = pad(logsigmoid(logits).cumsum(-1), (1, 0))
        stopped = pad(existing(logsigmoid(-logits), facts.n_categories - 1, 0.0), (0, 1))
        return passed + stopped
