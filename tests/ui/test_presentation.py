"""Presentation: one switch on every page, in the address, and figures with larger type."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
import pytest

from ssrvae_core.figures import confusion_figure
from ui import presentation
from ui.presentation import SCALE, enlarged

LEAVE = "Leave the presentation"


def buttons(app):
    return [button.label for button in app.main.button]


@pytest.mark.parametrize("page", ["overview", "latent", "confusion"])
def test_the_address_presents_every_page(page, make_store, open_page):
    make_store("two")
    app = open_page(page, present="1")
    assert not app.exception and not app.warning
    assert LEAVE in buttons(app) and not app.sidebar.toggle and not app.sidebar.code
    assert app.query_params["present"] in ("1", ["1"])


def test_the_switch_turns_it_on_and_the_button_off(make_store, open_page):
    make_store("two")
    app = open_page("latent")
    assert LEAVE not in buttons(app) and "present" not in app.query_params
    app.sidebar.toggle[0].set_value(True).run()
    assert LEAVE in buttons(app) and app.query_params["present"] in ("1", ["1"])
    app.button(key="presentation-leave").click().run()
    assert LEAVE not in buttons(app) and "present" not in app.query_params
    assert not app.sidebar.toggle[0].value


def test_an_unknown_value_is_refused_with_a_sentence(make_store, open_page):
    make_store("two")
    app = open_page("overview", present="<b>yes</b>")
    assert "'byesb' as presentation" in app.warning[0].value
    assert LEAVE not in buttons(app) and "present" not in app.query_params


def test_a_figure_grows_in_type_markers_and_margins_and_the_one_given_stays():
    figure = go.Figure(go.Scatter(x=[1], y=[2], marker={"size": 6, "symbol": "square"}, textfont={"size": 10}))
    figure.data[0].text = ["50 %<br><span style='font-size:10px'>2</span>"]
    figure.update_layout(
        margin={"l": 60, "r": 20, "t": 50, "b": 40},
        annotations=[{"text": "A<br><span style='font-size:12px'>N = 1</span>", "font": {"size": 20}}, {"text": "B"}],
    )
    before = figure.to_json()
    large = enlarged(figure)
    assert large.data[0].marker.size == pytest.approx(SCALE * 6) and large.data[0].marker.symbol == "square"
    assert large.data[0].textfont.size == pytest.approx(SCALE * 10)
    assert "font-size:14px" in large.data[0].text[0]
    assert large.layout.margin.l == pytest.approx(SCALE * 60)
    assert large.layout.annotations[0].font.size == pytest.approx(SCALE * 20)
    assert "font-size:16.8px" in large.layout.annotations[0].text
    assert large.layout.annotations[1].font.size > 13 and large.layout.xaxis.tickfont.size > 13
    assert list(large.data[0].x) == [1] and figure.to_json() == before


def test_frames_of_a_film_keep_their_values_while_they_grow():
    marker = {"size": 5, "color": [1.0, 2.0]}
    figure = go.Figure(
        go.Scatter(x=[1, 2], y=[1, 2]),
        frames=[go.Frame(name="one", data=[go.Scatter(x=[3, 4], y=[5, 6], marker=marker)], traces=[0])],
    )
    (frame,) = enlarged(figure).frames
    assert frame.name == "one" and list(frame.traces) == [0]
    assert list(frame.data[0].x) == [3, 4] and list(frame.data[0].marker.color) == [1.0, 2.0]
    assert frame.data[0].marker.size == pytest.approx(SCALE * 5)


def test_a_confusion_matrix_keeps_its_cells():
    figure = confusion_figure(np.array([[3, 1], [0, 4]]), ("a", "b"), normalise=False, title="m")
    large = enlarged(figure)
    assert [trace.type for trace in large.data] == [trace.type for trace in figure.data]
    assert large.to_plotly_json()["data"][0]["z"] == figure.to_plotly_json()["data"][0]["z"]


def test_heights_are_enlarged_once_by_presentation_or_by_a_wide_window(monkeypatch):
    monkeypatch.setattr("ui.look.stretch", lambda: 1.4)
    monkeypatch.setattr(presentation, "presenting", lambda: False)
    assert presentation.pixels(100) == 140
    monkeypatch.setattr(presentation, "presenting", lambda: True)
    assert presentation.pixels(100) == round(100 * presentation.SCALE)
