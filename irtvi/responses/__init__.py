"""Data in: tables and files become `Responses`."""

from irtvi.responses.checks import Finding, check
from irtvi.responses.coding import Coding
from irtvi.responses.holdout import holdout
from irtvi.responses.item_coding import ItemCoding
from irtvi.responses.read import read
from irtvi.responses.responses import Responses
from irtvi.responses.samples import load_data

__all__ = ["Coding", "Finding", "ItemCoding", "Responses", "check", "holdout", "load_data", "read"]
