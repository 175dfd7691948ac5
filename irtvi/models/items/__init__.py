"""Item models by name."""

from irtvi.models.items.beta import Beta
from irtvi.models.items.binomial import Binomial
from irtvi.models.items.continuous import ContinuousModel
from irtvi.models.items.dichotomous import FourPL, OnePL, Rasch, ThreePL, TwoPL
from irtvi.models.items.graded import Graded
from irtvi.models.items.item_model import CategoricalModel, Facts, ItemModel, ParameterSpec
from irtvi.models.items.monotone import Monotone
from irtvi.models.items.nested_logit import NestedLogit
from irtvi.models.items.networks import Deep, Link, Residual
from irtvi.models.items.nominal import Nominal
from irtvi.models.items.normal import Normal
from irtvi.models.items.partial_credit import GeneralisedPartialCredit, PartialCredit, RatingScale
from irtvi.models.items.sequential import Sequential

ITEM_MODELS: dict[str, type[ItemModel]] = {
    "rasch": Rasch,
    "1pl": OnePL,
    "2pl": TwoPL,
    "3pl": ThreePL,
    "4pl": FourPL,
    "grm": Graded,
    "gpcm": GeneralisedPartialCredit,
    "pcm": PartialCredit,
    "rsm": RatingScale,
    "sequential": Sequential,
    "nominal": Nominal,
    "nested_logit": NestedLogit,
    "binomial": Binomial,
    "normal": Normal,
    "beta": Beta,
    "monotone": Monotone,
    "link": Link,
    "deep": Deep,
    "residual": Residual,
}

__all__ = ["ITEM_MODELS", "CategoricalModel", "ContinuousModel", "Facts", "ItemModel", "ParameterSpec"]
