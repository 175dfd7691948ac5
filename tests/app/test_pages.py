
import pytest

from .conftest import AUDIENCES, PAGES, with_fits


@pytest.fixture(scope="module")
def ready():
    from .conftest import Dashboard

    return with_fits(Dashboard())


@pytest.mark.parametrize("page", PAGES)
def test_page_without_data(dashboard, page):
    at = dashboard.go(page)
    assert not at.exception
    assert at.title
    assert not at.error


@pytest.mark.parametrize("audience", AUDIENCES)
@pytest.mark.parametrize("page", PAGES)
def test_page_with_fits(ready, page, audience):
    ready.speak(audience)
    at = ready.go(page)
    assert not at.exception
    assert not at.error
    assert at.title
