"""What all tests share: the reference folder, seeded randomness, and type checks while tests run."""

import os
import time
import warnings
from pathlib import Path
from types import SimpleNamespace

from jaxtyping import install_import_hook

# Before anything imports irtvi: every annotated shape and type is checked at each call. jaxtyping decorates
# methods one by one, where beartype cannot know what Self is.
SELF_IS_ANYTHING = "beartype.FrozenDict({__import__('typing').Self: object})"
install_import_hook(
    "irtvi", f"beartype.beartype(conf=beartype.BeartypeConf(hint_overrides={SELF_IS_ANYTHING}))"
)

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import settings

from tests import elsewhere

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = Path(os.environ.get("IRTVI_REFERENCE", ROOT.parent / "shared")).resolve()
OUT_OF_TIME = "no time left for this slow test"

elsewhere.register()
settings.register_profile("irtvi", deadline=None, derandomize=True)
settings.load_profile("irtvi")


@pytest.fixture(scope="session")
def reference() -> Path:
    """The folder with data and reference tables (its subfolders `data` and `reference`)."""
    if not REFERENCE.is_dir():
        pytest.skip("reference folder not found (set IRTVI_REFERENCE)")
    return REFERENCE


@pytest.fixture
def generator() -> torch.Generator:
    """A seeded source of randomness, fresh for each test."""
    return torch.Generator().manual_seed(20_261)


@pytest.fixture(scope="session")
def simulated():
    """Make `simulated(n_persons, n_items, missing=0, model="2pl", c=0, seed=1)`.

    It has `model` and `data` as engines take them (priors off but for guessing), `free` (the true parameters
    on the free scale), `theta`, and `codes` (int8, -1 where missing). Slopes are lognormal(0, .3),
    difficulties and abilities N(0, 1).
    """
    return _simulated


def _simulated(n_persons, n_items, missing=0.0, model="2pl", c=0.0, seed=1):
    from irtvi.inference.engines.engine import Data
    from irtvi.models.priors import Normal
    from irtvi.models.specification import Specification, build
    from irtvi.responses.read import read

    rng = np.random.default_rng(seed)
    a, b = np.exp(0.3 * rng.standard_normal(n_items)), rng.standard_normal(n_items)
    theta = rng.standard_normal(n_persons)
    right = c + (1 - c) / (1 + np.exp(-a * (theta[:, None] - b)))
    answers = (rng.random(right.shape) < right).astype(float)
    answers[rng.random(right.shape) < missing] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        responses = read(pd.DataFrame(answers, columns=[f"i{j}" for j in range(n_items)]))
    priors = {"a": None, "d": None} | ({"c": Normal(-1.4, 0.5)} if model == "3pl" else {})
    built = build(Specification(model, priors), responses)
    truth = {"a": a, "d": -a * b, "c": np.full(n_items, c)}
    free = built.model.start()
    for component in built.model.components:
        for slot, transform in enumerate(component.slots.slot_transforms()):
            value = torch.as_tensor(truth[component.slots.names()[slot]][component.items.numpy()])
            free[component.slots.index[:, slot]] = transform.to_free(value)
    return SimpleNamespace(
        model=built.model,
        data=Data(responses.scored(), None, torch.zeros(n_persons, dtype=torch.long)),
        free=free,
        theta=torch.as_tensor(theta),
        codes=torch.as_tensor(np.nan_to_num(answers, nan=-1).astype(np.int8)),
        everyone=torch.arange(n_persons),
    )


def pytest_configure(config: pytest.Config) -> None:
    # Not in pyproject.toml: pytest would import irtvi for it before the hook above is in place.
    config.addinivalue_line("filterwarnings", "error::irtvi.errors.IrtviWarning")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Start no slow test after the moment in IRTVI_START_SLOW_UNTIL (seconds since 1970), but for reference tests."""
    until = os.environ.get("IRTVI_START_SLOW_UNTIL")
    slow, compares = item.get_closest_marker("slow"), item.get_closest_marker("reference")
    if until and slow and not compares and time.time() > float(until):
        pytest.skip(OUT_OF_TIME)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where time is limited, reference tests go first."""
    if "IRTVI_START_SLOW_UNTIL" in os.environ:
        items.sort(key=lambda item: item.get_closest_marker("reference") is None)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item):
    """Fail a reference test that is skipped although the reference folder is there."""
    report = yield
    skipped = report.outcome == "skipped" and not hasattr(report, "wasxfail")
    if skipped and item.get_closest_marker("reference") and REFERENCE.is_dir():
        reason = report.longrepr[-1] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        report.outcome = "failed"
        report.longrepr = f"a reference test was skipped although {REFERENCE} exists: {reason}"
    return report
