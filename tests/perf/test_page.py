"""docs/speed.md and its picture say what perf/results holds."""

from html import unescape

from repository import ROOT

from perf.compare import number_text
from perf.page import DRAWN, PAGE, PICTURE, page_text, picture
from perf.result import RESULTS, read_result, stored_results


def test_the_page_is_the_one_that_the_command_writes():
    assert PAGE.read_text(encoding="utf-8") == page_text(stored_results())


def test_the_picture_has_every_ratio_of_its_parts_with_its_median():
    """By its words: the rest of an SVG differs between versions of matplotlib."""
    text = unescape(PICTURE.read_text(encoding="utf-8"))
    drawn = [ratio for result in stored_results() for name in DRAWN for ratio in result.parts.get(name, ())]
    assert len(drawn) > 10
    assert [ratio.name for ratio in drawn if f">{ratio.name} / {ratio.over}<" not in text] == []
    assert [ratio.name for ratio in drawn if f">{number_text(ratio.median)}<" not in text] == []
    assert PICTURE.name in PAGE.read_text(encoding="utf-8")
    assert picture(stored_results()).startswith(b"<?xml")


def test_every_file_of_results_has_the_name_of_its_processor_and_torch():
    for path in RESULTS.glob("*.json"):
        result = read_result(path)
        assert path.stem.endswith(f"-torch{result.versions['torch'].partition('+')[0]}")
        assert path.stem.startswith(result.processor.lower().replace(" ", "-")[:8])


def test_the_page_stands_in_the_menu():
    assert "\nspeed\n```" in (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
