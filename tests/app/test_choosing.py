import numpy as np
import pandas as pd
import pytest

from .conftest import APP  # noqa: F401 - puts the app on the import path


@pytest.fixture
def short_lists(monkeypatch):
    import choosing

    monkeypatch.setattr(choosing, "MOST_IN_LIST", 4)


def test_an_item_of_many_is_named(fitted, short_lists):
    fitted.speak("Psychometrician")
    at = fitted.go("items")
    assert len(at.get("plotly_chart")) == 1  # the scatter: no item is chosen yet
    at = at.text_input(key="kept-item-id").set_value("Item.3").run()
    assert not at.exception
    assert len(at.get("plotly_chart")) > 1
    at = at.text_input(key="kept-item-id").set_value("Item.9").run()
    assert "no item 'Item.9'" in at.warning[0].value


@pytest.mark.parametrize("many", [False, True])
def test_the_newest_click_decides(fitted, many, monkeypatch):
    import choosing
    import streamlit as st

    monkeypatch.setattr(choosing, "MOST_IN_LIST", 1 if many else 10)
    monkeypatch.setattr(st, "session_state", {})
    ids, remembered = pd.Index(["p", "q", 7]), fitted.workspace.remembered
    choosing.follow(fitted.workspace, ids, "thing", ("q", None))
    assert remembered["thing-id" if many else "thing"] == ("q" if many else 1)
    choosing.follow(fitted.workspace, ids, "thing", ("q", "7"))
    assert remembered["thing-id" if many else "thing"] == ("7" if many else 2)


def test_pages_of_many_items_send_little(dashboard):
    """Of 3,000 items: one point each in the scatter, no names to choose from, no figure of all curves."""
    from reading import Source

    rng = np.random.default_rng(4)
    theta, b = rng.normal(size=(60, 1)), rng.normal(size=3_000)
    right = rng.random((60, 3_000)) < 1 / (1 + np.exp(b - theta))
    table = pd.DataFrame(right.astype(int), columns=[f"Q{k}" for k in range(3_000)])
    dashboard.workspace.open(Source("many.csv", table.to_csv().encode()))
    dashboard.at.run()
    dashboard.go("fit")
    dashboard.at.multiselect(key="kept-models").set_value(["rasch"]).run()
    dashboard.click("start")
    dashboard.wait()
    for page in ("data", "overview", "abilities", "items"):
        at = dashboard.go(page)
        assert not at.exception
        assert sum(len(figure.proto.spec) for figure in at.get("plotly_chart")) < 300_000, page
        assert all(len(box.options) < 2_500 for box in at.selectbox if "Which" in box.label), page
