import re

import plotly.graph_objects as go
import pytest

from ssrvae_core.reports import html

HOSTILE = "</script><script>alert(1)</script>"


@pytest.fixture(scope="module")
def page():
    figure = go.Figure(go.Scatter(x=[1, 2], y=[3, 4], name=HOSTILE))
    chart = html.chart(figure, HOSTILE, height=300, caption=HOSTILE)
    table = html.table(("name", HOSTILE), [(HOSTILE, "1")], HOSTILE)
    links = html.file_links(HOSTILE, [HOSTILE])
    folded = html.details(HOSTILE, html.paragraph(HOSTILE))
    both = html.side_by_side([chart, chart], HOSTILE)
    return html.page(
        HOSTILE, [HOSTILE], html.section(HOSTILE, chart, html.subsection(HOSTILE, both)), table, links, folded
    )


def test_no_text_of_the_data_becomes_markup(page):
    assert HOSTILE not in page
    assert len(re.findall("<script", page.replace(html.get_plotlyjs(), ""))) == len(re.findall("</script", page))


def test_the_page_needs_no_network(page):
    own = page.replace(html.get_plotlyjs(), "")
    assert not re.search(r"""(?:src|href)=["']?(?:https?:)?//""", own)
    assert "default-src 'none'" in own


def test_plotly_is_there_once(page):
    assert page.count(html.get_plotlyjs()) == 1


def test_every_chart_says_what_it_shows():
    assert 'aria-label="A line that rises"' in html.chart(go.Figure(), "A line that rises", height=100)
