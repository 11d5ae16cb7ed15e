from __future__ import annotations

import pytest

from ssrvae_core.figures import theme


def _luminance(colour: str) -> float:
    """Relative luminance of WCAG 2."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def _contrast(a: str, b: str) -> float:
    low, high = sorted((_luminance(a), _luminance(b)))
    return (high + 0.05) / (low + 0.05)


def test_colour_and_shape_together_tell_72_classes_apart():
    looks = {(theme.class_colour(k), theme.class_symbol(k)) for k in range(72)}
    assert len(looks) == 72


@pytest.mark.parametrize(("dark", "page"), [(False, "#FFFFFF"), (True, "#0E1117")])
def test_text_is_legible_on_a_transparent_background(dark, page):
    layout = theme.template(dark=dark).layout
    assert layout.paper_bgcolor == layout.plot_bgcolor == "rgba(0, 0, 0, 0)"
    assert _contrast(layout.font.color, page) > 7
    assert _contrast(theme.NEUTRAL, page) > 3


def test_a_title_never_rounds_a_few_errors_to_a_perfect_accuracy():
    assert "accuracy 100 %," in theme.panel_title("a", 1.0, 10)
    assert "accuracy >99.9 %," in theme.panel_title("a", 0.9999, 10000)
    assert "accuracy 99.9 %," in theme.panel_title("a", 0.9991, 10000)
    assert "accuracy" not in theme.panel_title("a", None, 10)
