"""``python -m ssrvae_core``."""

from ssrvae_core.cli import main

main()
