import pytest

from reports import text
from reports.text import escape_latex, escape_markdown, page_formats


@pytest.mark.parametrize(
    ("plain", "escaped"),
    [
        ("fashion_mnist", "fashion_mnist"),  # inside a word it is no emphasis
        ("_x_ and __y__", r"\_x\_ and \_\_y\_\_"),
        ("a & b, &lt; &#60;", "a & b, &amp;lt; &amp;#60;"),
        ("<i>", "&lt;i>"),
    ],
)
def test_markdown_shows_texts_as_they_are(plain, escaped):
    assert escape_markdown(plain) == escaped


@pytest.mark.parametrize(
    ("plain", "escaped"),
    [
        (
            "x_y & 5 % # ~ ^ \\ {z} $ <b> | * `",
            r"x\_y \& 5 \% \# \textasciitilde{} \textasciicircum{} \textbackslash{} \{z\} \$ \textless{}b\textgreater{} \textbar{} * `",
        ),
        ("Schölkopf, Pérez, Nguyễn, Straße", r"Sch\"{o}lkopf, P\'{e}rez, Nguy\~{\^{e}}n, Stra\ss{}e"),
        ("e\u0301", r"\'{e}"),
        ("0.7±0.1 × α, Δ ≤ 2 – 3", r"0.7$\pm$0.1 $\times$ $\alpha$, $\Delta$ $\leq$ 2 -- 3"),
        ("ﬁne ½", "fine 1/2"),
        ("x², 中, 🙂", "x{[}U+00B2{]}, {[}U+4E2D{]}, {[}U+1F642{]}"),
        ("[1] a\x1bb", r"{[}1{]} a\textbackslash{}x1bb"),
    ],
)
def test_latex_has_every_character_of_a_text(plain, escaped):
    assert escape_latex(plain) == escaped


@pytest.mark.parametrize("name", ["table", "judgement"])
def test_a_page_has_the_formats_of_its_templates(name):
    forms = page_formats(name)
    assert (forms[0], forms[-2:]) == ("md", ("csv", "json"))
    assert {"html", "latex"} <= {*forms}


def test_a_format_is_a_template_and_nothing_else(tmp_path, monkeypatch):
    for name in ("table.md.j2", "table.org.j2", "judgement.html.j2", "judgement.md.j2"):
        (tmp_path / name).touch()
    monkeypatch.setattr(text, "TEMPLATES", tmp_path)
    assert page_formats("table") == ("md", "org", "csv", "json")
