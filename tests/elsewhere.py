"""A pretended accelerator for machines that have none.

Its tensors live in the memory of the CPU and are computed there, so that numbers must agree to the last digits, but
they mix with the CPU's as little as those of a graphics processor do: an operation on both is an error, but for
scalars and for indices. What torch does below the level at which operations can be watched is done above it.
"""

import torch
from torch.overrides import TorchFunctionMode
from torch.utils import backend_registration
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_flatten, tree_map, tree_unflatten

NAME = "elsewhere"
aten = torch.ops.aten
ACROSS = {aten._to_copy.default, aten.copy_.default, aten._local_scalar_dense.default}
INDEXING = {aten.index.Tensor, aten.index_put.default, aten.index_put_.default, aten._index_put_impl_.default}


class Elsewhere(torch.Tensor):
    """A tensor of the pretended device, around one of the CPU."""

    @staticmethod
    def __new__(cls, held: torch.Tensor) -> "Elsewhere":
        return torch.Tensor._make_wrapper_subclass(
            cls, held.shape, strides=held.stride(), storage_offset=held.storage_offset(), dtype=held.dtype,
            device=torch.device(NAME, 0),
        )  # fmt: skip

    def __init__(self, held: torch.Tensor) -> None:
        self.held = held

    @classmethod
    def __torch_dispatch__(cls, function, types, args=(), kwargs=None):
        return _run(function, args, kwargs or {})

    def tolist(self):
        return self.held.tolist()

    def __format__(self, how):
        return format(self.held, how)

    def __repr__(self):
        return f"elsewhere {self.held}"

    def numpy(self, *args, **kwargs):
        raise TypeError(f"a tensor of {NAME} cannot be an array; move it to the CPU first")

    __array__ = numpy


def _is_named(device: str | torch.device | None) -> bool:
    return device is not None and torch.device(device).type == NAME


def _run(function, args: tuple, kwargs: dict):
    leaves, layout = tree_flatten((args, kwargs))
    tensors = [x for x in leaves if isinstance(x, torch.Tensor)]
    some_elsewhere = any(isinstance(x, Elsewhere) for x in tensors)
    asked = kwargs.get("device")
    if some_elsewhere and function not in ACROSS:
        _check_together(function, args, tensors)
    if (some_elsewhere or _is_named(asked)) and kwargs.get("generator") is not None:
        raise RuntimeError(f"{function} was given a generator of the CPU for {NAME}")
    args, kwargs = tree_unflatten([x.held if isinstance(x, Elsewhere) else x for x in leaves], layout)
    if _is_named(asked):
        kwargs["device"] = torch.device("cpu")
    found = function(*args, **kwargs)
    original = leaves[0] if leaves else None
    if function is aten.copy_.default:
        return original
    stays = some_elsewhere if asked is None else _is_named(asked)
    if not stays or function is aten._local_scalar_dense.default:
        return found
    wrapped = tree_map(lambda x: Elsewhere(x) if isinstance(x, torch.Tensor) else x, found)
    if not some_elsewhere or function is aten._to_copy.default:
        return wrapped
    args, kwargs = tree_unflatten(leaves, layout)
    return return_and_correct_aliasing(function, args, kwargs, wrapped)


def _check_together(function, args: tuple, tensors: list[torch.Tensor]) -> None:
    here = [x for x in tensors if x.ndim and not isinstance(x, Elsewhere)]
    if function in INDEXING and isinstance(args[0], Elsewhere):
        indices = [x for x in args[1] if x is not None]
        here = [x for x in here if not any(x is index for index in indices)]
    written = function._schema.is_mutable and args and not isinstance(args[0], Elsewhere)
    if here or (written and isinstance(args[0], torch.Tensor)):
        raise RuntimeError(
            f"{function} needs its tensors on one device, found {NAME} and the CPU: "
            f"{[(type(x).__name__, tuple(x.shape)) for x in tensors]}"
        )


class _Operations(TorchDispatchMode):
    """Sees what makes tensors out of none."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        return _run(function, args, kwargs or {})


class _Calls(TorchFunctionMode):
    """Does in steps that are seen what torch would do unseen: from numbers, and by lists of positions."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if function in (torch.tensor, torch.as_tensor) and _is_named(kwargs.get("device")):
            device = kwargs.pop("device")
            return function(*args, **kwargs).to(device)
        if function in (torch.Tensor.__getitem__, torch.Tensor.__setitem__) and isinstance(args[1], list):
            args = (args[0], torch.tensor(args[1], dtype=torch.long), *args[2:])
        return function(*args, **kwargs)


def register() -> None:
    """Make the device known; before the first gradient, because that is when torch counts devices."""
    backend_registration._setup_privateuseone_for_python_backend(NAME)


class Device:
    """Within it the pretended device works."""

    def __enter__(self) -> None:
        self._modes = _Calls(), _Operations()
        for mode in self._modes:
            mode.__enter__()

    def __exit__(self, *what: object) -> None:
        for mode in reversed(self._modes):
            mode.__exit__(*what)
