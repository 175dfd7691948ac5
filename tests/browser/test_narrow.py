"""A telephone's width: what can be seen can be clicked."""

import pytest

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("width", [400, 1300])
def test_one_click_starts_while_the_list_is_open(visit, width):
    visitor = visit(viewport={"width": width, "height": 800})
    visitor.open()
    visitor.click("Sample lsat6")
    visitor.open(f"fit?session={visitor.page.url.split('session=')[1]}")
    models = visitor.page.locator("[data-testid=stMultiSelect] input")
    models.type("Questions differ in difficulty only")
    visitor.page.get_by_role("option", name="Questions differ in difficulty only", exact=True).click()
    assert visitor.page.get_by_role("option").count() > 0  # the list is still open
    # By the mouse, as a person would: Playwright's own click would wait, and scroll, for what is covered.
    place = visitor.page.locator(".st-key-start button").bounding_box()
    visitor.page.mouse.click(place["x"] + place["width"] / 2, place["y"] + place["height"] / 2)
    visitor.page.get_by_role("button", name="See the scores").wait_for()
    assert "Questions differ in difficulty only" in visitor.text()
