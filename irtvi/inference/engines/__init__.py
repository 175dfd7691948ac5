"""Engines by name."""

from irtvi.inference.engines.engine import Engine
from irtvi.inference.engines.quadrature import Quadrature

ENGINES: dict[str, type[Engine]] = {"quadrature": Quadrature}

__all__ = ["ENGINES", "Engine", "Quadrature"]
