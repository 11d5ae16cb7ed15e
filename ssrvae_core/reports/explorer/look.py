"""How the explorer looks: the colours, markers and axes that all figures share."""

from __future__ import annotations

import json
from typing import Any

from plotly.io.json import to_json_plotly

from ssrvae_core.figures import theme
from ssrvae_core.figures.markers import SHAPES


def look(file_name: str, *, csv: bool, keeps_where: str) -> dict[str, Any]:
    """Return what the browser needs to know of the looks, ready for JSON.

    Parameters
    ----------
    file_name : str
        Of a saved picture, without its ending.
    csv : bool
        Whether the bar offers the selection as CSV; a page of the dashboard has its own menu for that.
    keeps_where : str
        A sentence on where selections with names are kept.
    """
    template: dict[str, Any] = json.loads(to_json_plotly(theme.template().to_plotly_json()))
    return {
        "shapes": SHAPES,
        "line": theme.OUTLINE,
        "template": template,
        "config": theme.CONFIG,
        "picture": {"format": "svg", "filename": file_name, "scale": 1},
        "csv": csv,
        "keepsWhere": keeps_where,
    }
