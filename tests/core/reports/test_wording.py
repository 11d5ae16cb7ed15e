from ssrvae_core.reports.wording import plain


def test_plotly_finds_neither_markup_nor_a_placeholder_in_a_name():
    assert plain("<b>%{x}</b>") == "&lt;b&gt;&#37;{x}&lt;/b&gt;"
