"""What the answers say about a fitted model, and how far its numbers can be trusted."""

from irtvi.diagnostics.convergence import Convergence, convergence

__all__ = ["Convergence", "convergence"]
