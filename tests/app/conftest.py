"""Pages of the dashboard without a browser."""

import sys
from pathlib import Path

import pytest

APP = Path(__file__).resolve().parents[2] / "app"
sys.path.insert(0, str(APP))

pytest.importorskip("streamlit")
from streamlit.testing.v1 import AppTest  # noqa: E402

PAGES = ("data", "fit", "overview", "abilities", "items", "compare", "export", "learn")
AUDIENCES = ("Teacher", "Psychometrician", "Benchmark")


class Dashboard:
    """One session of the dashboard, driven by name."""

    def __init__(self) -> None:
        self.at = AppTest.from_file(str(APP / "main.py"), default_timeout=60).run()

    def go(self, page: str) -> AppTest:
        self.at.switch_page(f"views/{page}.py")
        return self.at.run()

    @property
    def workspace(self):
        from session import STORE

        return STORE.find(self.at.session_state["session"])

    def speak(self, audience: str) -> None:
        self.at.sidebar.radio(key="kept-audience").set_value(audience).run()

    def click(self, key: str) -> AppTest:
        return self.at.button(key=key).click().run()

    def wait(self, seconds: float = 60.0) -> None:
        """Let the fits end."""
        import time

        end = time.monotonic() + seconds
        while self.workspace.queue.alive:
            assert time.monotonic() < end, "the fits did not end"
            time.sleep(0.05)
        self.at.run()

    def texts(self) -> str:
        """All that the page says."""
        kinds = ("title", "header", "subheader", "markdown", "caption", "info", "warning", "success", "error", "metric")
        said = []
        for kind in kinds:
            for element in getattr(self.at, kind):
                said += [str(element.value), str(getattr(element, "label", ""))]
        for kind in ("button", "selectbox", "multiselect", "radio", "number_input", "text_input", "slider"):
            said += [str(element.label) for element in getattr(self.at, kind)]
        return "\n".join(said)


@pytest.fixture
def dashboard():
    """A fresh session."""
    return Dashboard()


@pytest.fixture
def fitted(dashboard):
    """A session with two fits of the sample lsat7."""
    return with_fits(dashboard)


def with_fits(dashboard: Dashboard) -> Dashboard:
    dashboard.click("sample-lsat7")
    dashboard.go("fit")
    dashboard.at.multiselect(key="kept-models").set_value(["2pl", "rasch"]).run()
    dashboard.click("start")
    dashboard.wait()
    return dashboard
