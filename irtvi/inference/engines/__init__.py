"""Engines by name."""

from irtvi.inference.engines.amortized import Amortized
from irtvi.inference.engines.engine import Engine
from irtvi.inference.engines.quadrature import Quadrature

ENGINES: dict[str, type[Engine]] = {"amortized": Amortized, "quadrature": Quadrature}

__all__ = ["ENGINES", "Amortized", "Engine", "Quadrature"]
