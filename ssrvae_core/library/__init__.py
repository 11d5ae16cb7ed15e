"""The library of a finished run: its particles by class, as corrected by people, and what can be taken away.

Begin with :class:`ssrvae_core.library.journal.Journal`, which reads and writes corrections and returns a
:class:`ssrvae_core.library.state.Library`. Importing these modules needs no torch.
"""

from ssrvae_core.library.base import NONE, Base
from ssrvae_core.library.journal import Journal
from ssrvae_core.library.state import Library, Origin

__all__ = ["NONE", "Base", "Journal", "Library", "Origin"]
