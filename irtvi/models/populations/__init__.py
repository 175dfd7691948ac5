"""Populations by name."""

from irtvi.models.populations.normal import NormalPopulation
from irtvi.models.populations.population import Population

POPULATIONS: dict[str, type[Population]] = {"normal": NormalPopulation}

__all__ = ["POPULATIONS", "NormalPopulation", "Population"]
