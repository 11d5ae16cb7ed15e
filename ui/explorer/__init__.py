"""The explorer of particles as a component of a page."""

from ssrvae_core.reports.explorer.source import Source as Source
from ui.explorer.component import Selection as Selection
from ui.explorer.component import explorer as explorer
