"""One thread for operations that are too small to be shared."""

import os
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import torch

Arguments = ParamSpec("Arguments")
Returned = TypeVar("Returned")


def in_one_thread(function: Callable[Arguments, Returned]) -> Callable[Arguments, Returned]:
    """The function with torch's operations on one processor, unless OMP_NUM_THREADS is set.

    Persons go through in blocks that fit into the cache. Threads that share the work on one wait for each other
    longer than they compute: they gain little, and where other programs run too they may lose a factor of ten.
    """

    @wraps(function)
    def alone(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Returned:
        before = torch.get_num_threads()
        if before == 1 or "OMP_NUM_THREADS" in os.environ:
            return function(*args, **kwargs)
        torch.set_num_threads(1)
        try:
            return function(*args, **kwargs)
        finally:
            torch.set_num_threads(before)

    return alone
