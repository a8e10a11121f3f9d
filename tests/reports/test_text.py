import pytest

from reports.text import escape_markdown


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("fashion_mnist", "fashion_mnist"),  # inside a word it is no emphasis
        ("_x_ and __y__", r"\_x\_ and \_\_y\_\_"),
        ("a & b, &lt; &#60;", "a & b, &amp;lt; &amp;#60;"),
        ("<i>", "&lt;i>"),
    ],
)
def test_markdown_shows_texts_as_they_are(text, escaped):
    assert escape_markdown(text) == escaped
