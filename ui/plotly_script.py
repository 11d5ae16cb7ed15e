"""Plotly's own script beside the pages, for components that draw with it before any chart of Streamlit's did."""

from __future__ import annotations

from pathlib import Path

import plotly
from streamlit.components.v1 import declare_component

# Only to have plotly.js served beside the page, in the version that plotly.py and the saved figures have.
_plotly = declare_component("plotly", path=str(Path(plotly.__file__).parent / "package_data"))
PLOTLY = f"component/{_plotly.name}/plotly.min.js"
"""Its address, relative to the app's."""
