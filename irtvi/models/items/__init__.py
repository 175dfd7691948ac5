"""Item models by name."""

from irtvi.models.items.dichotomous import FourPL, OnePL, Rasch, ThreePL, TwoPL
from irtvi.models.items.item_model import Facts, ItemModel, ParameterSpec

ITEM_MODELS: dict[str, type[ItemModel]] = {
    "rasch": Rasch,
    "1pl": OnePL,
    "2pl": TwoPL,
    "3pl": ThreePL,
    "4pl": FourPL,
}

__all__ = ["ITEM_MODELS", "Facts", "ItemModel", "ParameterSpec"]
