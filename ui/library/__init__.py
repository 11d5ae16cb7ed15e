"""The library of a run on a page: classes side by side, corrections, exports and training again."""
