"""A server and a browser for all tests here."""

import os

import pytest

pytest.importorskip("streamlit")
playwright = pytest.importorskip("playwright.sync_api")

from .server import ARGUMENTS, CHROMIUM, Visitor, serving  # noqa: E402


@pytest.fixture(scope="session")
def address(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("server")) as address:
        yield address


@pytest.fixture(scope="session")
def chromium():
    if not os.path.exists(CHROMIUM):
        pytest.skip(f"no Chromium at {CHROMIUM} (set CHROMIUM)")
    with playwright.sync_playwright() as tool:
        browser = tool.chromium.launch(executable_path=CHROMIUM, headless=True, chromium_sandbox=False, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium, address):
    """Open a session of its own; afterwards nobody may have asked another host for anything."""
    visitors = []

    def new(**context):
        visitor = Visitor(chromium, address, **context)
        visitors.append(visitor)
        return visitor

    yield new
    outside = [url for visitor in visitors for url in visitor.outside]
    for visitor in visitors:
        visitor.context.close()
    assert outside == []
