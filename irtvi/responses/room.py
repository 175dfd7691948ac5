"""Where arrays of answers live: in memory, or in a temporary file whose pages the system may drop."""

import errno
import math
import os
import shutil
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import numpy as np
import torch
from torch import Tensor

from irtvi.errors import DiskSpaceError

RESERVE = 64 * 2**20
"""Bytes of the disk that are left to others."""

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Room(ABC):
    """Gives out arrays."""

    @abstractmethod
    def empty(self, shape: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
        """An array whose content is not defined."""


class Memory(Room):
    """Arrays in memory, or in that of the device."""

    def empty(self, shape: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
        return torch.empty(shape, dtype=dtype, device=device)


MEMORY = Memory()


class Scratch(Room):
    """Arrays in files of the folder for temporary files (``TMPDIR`` says which).

    The files have no name: the system removes them when the array goes away, and also when the process dies. Their
    pages are read and written through shared mappings, so they count as cache that the system can drop.

    Raises
    ------
    DiskSpaceError
        If the disk has too little room.
    """

    def empty(self, shape: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
        if device.type != "cpu" or not math.prod(shape):
            return torch.empty(shape, dtype=dtype, device=device)
        size = math.prod(shape) * dtype.itemsize
        require_space(size)
        with tempfile.TemporaryFile() as file, _named_if_full(size):
            # Reserved at once: a full disk is an error here, not a crash when a page is written.
            os.posix_fallocate(file.fileno(), 0, size) if hasattr(os, "posix_fallocate") else file.truncate(size)
            return _mapped(file, dtype).view(shape)


SCRATCH = Scratch()


class Growing:
    """A list of numbers in a temporary file, as long as it turns out to be."""

    def __init__(self, dtype: torch.dtype) -> None:
        self.dtype = dtype
        self._size = 0
        self._file: BinaryIO = tempfile.TemporaryFile()  # noqa: SIM115

    def append(self, values: np.ndarray) -> None:
        """Add numbers at the end."""
        with _named_if_full(values.nbytes):
            self._file.write(np.ascontiguousarray(values).data)
        self._size += len(values)

    def finish(self) -> Tensor:
        """All numbers; nothing can be added afterwards."""
        with self._file as file, _named_if_full(0):
            file.flush()
            return _mapped(file, self.dtype) if self._size else torch.empty(0, dtype=self.dtype)


def require_space(size: int) -> None:
    """Refuse what would not fit into the folder for temporary files.

    Parameters
    ----------
    size : bytes
    """
    free = shutil.disk_usage(tempfile.gettempdir()).free
    if size + RESERVE > free:
        raise _full(size, free)


def _mapped(file: BinaryIO, dtype: torch.dtype) -> Tensor:
    kind = torch.empty(0, dtype=dtype).numpy().dtype
    return torch.from_numpy(np.memmap(file, kind, "r+"))


@contextmanager
def _named_if_full(size: int) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise _full(size, shutil.disk_usage(tempfile.gettempdir()).free) from None


def _full(size: int, free: int) -> DiskSpaceError:
    return DiskSpaceError(
        f"coded answers need {size / 2**20:,.0f} MB in the folder for temporary files, {tempfile.gettempdir()}, which "
        f"has {free / 2**20:,.0f} MB; free some, or name a folder on a larger disk in the environment variable TMPDIR"
    )
