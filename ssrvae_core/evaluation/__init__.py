"""Evaluation: what a model's predictions are worth.

Most modules work on arrays alone; :mod:`~ssrvae_core.evaluation.evaluate`, which runs a model, needs torch, and
:mod:`~ssrvae_core.evaluation.metrics` scikit-learn. So each is imported by its name, and this package imports none.
"""
