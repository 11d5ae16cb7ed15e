"""Microscopes' own formats, through RosettaSciIO where it is installed."""
