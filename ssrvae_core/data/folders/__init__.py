"""Folders and zips of pictures, with their tables of labels."""
