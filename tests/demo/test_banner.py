"""What the demo prints promises nothing that would not work."""

from app.demo import BANNER


def test_for_a_page_of_your_own_the_banner_names_what_it_needs_beyond_the_lines() -> None:
    banner = " ".join(BANNER.split())

    said, _, lines = banner.partition("a page of your own")[2].partition("<script")

    assert "Not with this demo" in said
    assert "ALLOWED_ORIGINS" in said
    assert "your back end" in said
    assert "/your/token" in lines
