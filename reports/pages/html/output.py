"""Pages as HTML files that hold all they need: style, script and data stand in them."""

from functools import cache

from markupsafe import Markup

from protocols.text import printable
from reports.pages.html.build import result_page
from reports.pages.html.evidence import NO_EVIDENCE, PageEvidence
from reports.pages.html.rankings import RANKS_REMARK
from reports.pages.html.site import CardPage, SiteIndex
from reports.pages.page import Page
from reports.tables.table import Table
from reports.text import TEMPLATES, page_template


def render_page(table: Table, evidence: PageEvidence = NO_EVIDENCE, home: str = "") -> str:
    """The page of a table; `home` is the address of the index that it belongs to, if there is one."""
    page = result_page(table, evidence)
    return _rendered("page/table", page=page, home=home, ranks_remark=RANKS_REMARK, script=page_part("script.js"))


def render_facts(page: Page, home: str = "") -> str:
    """The page of a table of facts."""
    return _rendered("table", page=page, home=home)


def render_index(index: SiteIndex) -> str:
    """The first page of a site: all tables with what they count."""
    return _rendered("page/index", index=index)


def render_cards(page: CardPage, home: str) -> str:
    """A page of cards."""
    return _rendered("page/cards", page=page, home=home)


@cache
def page_part(name: str) -> Markup:
    """A file of this package that stands in the page as it is."""
    return Markup((TEMPLATES / "page" / name).read_text(encoding="utf-8"))  # noqa: S704 - it is ours


def _rendered(template: str, **content: object) -> str:
    return printable(page_template(template, "html").render(style=page_part("style.css"), **content))
