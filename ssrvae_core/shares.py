"""Shares and probabilities as people read them: no rounding makes a few errors none, or a few hits nothing.

``shares.js`` of the explorer has the same rules for what a browser writes.
"""

from __future__ import annotations

import math
from decimal import ROUND_HALF_UP, Decimal


def percent(value: float, digits: int = 0) -> str:
    """Write a share for a sentence, in percent, with a decimal above 99 %: "41 %", "99.3 %", ">99.9 %", "<1 %".

    Parameters
    ----------
    value : float
        A share from 0 to 1.
    digits : int
        Decimals, 0 or 1 (for columns and intervals, which are compared).
    """
    if value <= 0 or value >= 1:
        return f"{_fixed(100 * value, 0)} %"
    if value < 0.01 / 10**digits:
        return f"<{'0.1' if digits else '1'} %"
    if value >= 0.9995:
        return ">99.9 %"
    return f"{_fixed(100 * value, 1 if value >= 0.99 else digits)} %"


def certainty(value: float) -> str:
    """Write a probability in percent; one that was rounded to 1 is ">99.9 %", as no model is certain."""
    return ">99.9 %" if value >= 0.9995 else percent(value, 1)


def percent_range(low: float, high: float) -> str:
    """Write an interval of shares: "35.2 to 47.1 %"."""
    return f"{percent(low, 1).removesuffix(' %')} to {percent(high, 1)}"


def share(value: float) -> str:
    """Write a share for a table, with three decimals; ">0.999" and "<0.001" for what would round to 1 or to 0."""
    return ">0.999" if 0.9995 <= value < 1 else decimals(value)


def decimals(value: float) -> str:
    """Write a number with three decimals that do not round a small one to nothing."""
    return "<0.001" if 0 < value < 0.0005 else _fixed(value, 3)


def _fixed(value: float, digits: int) -> str:
    """Round halves up, as browsers do; Python's own formats round them to the even digit."""
    if not math.isfinite(value):
        return f"{value:.{digits}f}"
    return f"{Decimal(float(value)).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP):f}"
