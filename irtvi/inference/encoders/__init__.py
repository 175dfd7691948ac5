"""Encoders that learn, by name."""

from irtvi.inference.encoders.encoder import Encoder, LearnedEncoder
from irtvi.inference.encoders.flow import FlowEncoder
from irtvi.inference.encoders.product_of_experts import ProductOfExperts
from irtvi.inference.encoders.proposal import GaussianProposal, Proposal

LEARNED_ENCODERS: dict[str, type[LearnedEncoder]] = {
    "product_of_experts": ProductOfExperts,
    "flow": FlowEncoder,
}

__all__ = [
    "LEARNED_ENCODERS",
    "Encoder",
    "FlowEncoder",
    "GaussianProposal",
    "LearnedEncoder",
    "ProductOfExperts",
    "Proposal",
]
