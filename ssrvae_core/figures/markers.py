"""The outlines of plotly's markers, for drawing them without plotly."""

SHAPES = {
    "circle": "M8 2.5a5.5 5.5 0 1 1 0 11 5.5 5.5 0 1 1 0-11Z",
    "square": "M3 3h10v10H3Z",
    "diamond": "M8 1.5 14.5 8 8 14.5 1.5 8Z",
    "triangle-up": "M8 2 14.5 13.5H1.5Z",
    "cross": "M6 2h4v4h4v4h-4v4H6v-4H2V6h4Z",
    "x": "M4.5 2 8 5.5 11.5 2 14 4.5 10.5 8 14 11.5 11.5 14 8 10.5 4.5 14 2 11.5 5.5 8 2 4.5Z",
    "triangle-down": "M8 14 1.5 2.5h13Z",
    "star": "M8 1.2 10 6h5l-4 3.1 1.5 5L8 11.2 3.5 14.1 5 9.1 1 6h5Z",
    "pentagon": "M8 1.5 14.6 6.3 12.1 14H3.9L1.4 6.3Z",
}
"""Outlines of plotly's marker shapes in a box of 16 x 16, as SVG paths."""
