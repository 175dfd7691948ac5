"""What all tests share: the reference folder, seeded randomness, and type checks while tests run."""

import os
import time
from pathlib import Path

from jaxtyping import install_import_hook

# Before anything imports irtvi: every annotated shape and type is checked at each call. jaxtyping decorates
# methods one by one, where beartype cannot know what Self is.
SELF_IS_ANYTHING = "beartype.FrozenDict({__import__('typing').Self: object})"
install_import_hook(
    "irtvi", f"beartype.beartype(conf=beartype.BeartypeConf(hint_overrides={SELF_IS_ANYTHING}))"
)

import pytest
import torch
from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = Path(os.environ.get("IRTVI_REFERENCE", ROOT.parent / "shared")).resolve()
OUT_OF_TIME = "no time left for this slow test"

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


def pytest_configure(config: pytest.Config) -> None:
    # Not in pyproject.toml: pytest would import irtvi for it before the hook above is in place.
    config.addinivalue_line("filterwarnings", "error::irtvi.errors.IrtviWarning")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Start no slow test after the moment in IRTVI_START_SLOW_UNTIL (seconds since 1970)."""
    until = os.environ.get("IRTVI_START_SLOW_UNTIL")
    if until and item.get_closest_marker("slow") and time.time() > float(until):
        pytest.skip(OUT_OF_TIME)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item):
    """Fail a reference test that is skipped although the reference folder is there."""
    report = yield
    skipped = report.outcome == "skipped" and not hasattr(report, "wasxfail")
    if skipped and item.get_closest_marker("reference") and REFERENCE.is_dir():
        reason = report.longrepr[-1] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if OUT_OF_TIME not in reason:
            report.outcome = "failed"
            report.longrepr = f"a reference test was skipped although {REFERENCE} exists: {reason}"
    return report
