"""The seam for encoders: from item parameters and answers to a proposal for each person."""

from abc import ABC, abstractmethod
from typing import ClassVar

from jaxtyping import Float, Int
from torch import Tensor, nn

from irtvi.inference.answers import Answers
from irtvi.inference.encoders.proposal import Proposal
from irtvi.models.model import Model


class Encoder(ABC):
    """Gives each person a proposal at once, without iterating over persons.

    Any subset of items may be answered, and a new item is known by its parameters alone: everything about
    items comes through ``model`` and ``free``.
    """

    name: ClassVar[str]

    @abstractmethod
    def encode(
        self,
        model: Model,
        free: Float[Tensor, " n_free"],
        answers: Answers,
        persons: Int[Tensor, " some"],
        groups: Int[Tensor, " some"],
    ) -> Proposal:
        """Proposals for some persons.

        Parameters
        ----------
        model : Model
        free : Float[Tensor, " n_free"]
            Free parameters.
        answers : Answers
            Of all persons, against the columns of the model.
        persons : Int[Tensor, " some"]
            Rows to encode.
        groups : Int[Tensor, " some"]
            Their groups; somebody who answered nothing gets the population of the own group.
        """


class LearnedEncoder(Encoder, nn.Module):
    """An encoder with weights; its :meth:`settings` and ``state_dict`` rebuild it."""

    @abstractmethod
    def settings(self) -> dict[str, int]:
        """What the constructor takes besides the source of randomness."""
