"""Numbers as pictures and texts show them."""

from __future__ import annotations

import math


def shown_number(value: float, digits: int = 4) -> str:
    """Return a number with so many significant digits, without a trailing zero or an exponent where it can be without.

    Examples: 9.27909 is "9.279", 12 is "12", 0.0000123 is "1.23e-05", 123456.7 is "123,457".
    """
    if not math.isfinite(value):
        return "unknown"
    if value == 0:
        return "0"
    if abs(value) < 1e-4 or abs(value) >= 1e9:
        return f"{value:.{max(0, digits - 2)}e}"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    text = f"{value:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def shown_p(p: float) -> str:
    """Return a probability as it stands in a sentence: "p = 0.032", or "p < 1e-300" where a float holds no less."""
    if p < 1e-300:
        return "p < 1e-300"
    return f"p = {p:.2g}" if p >= 1e-4 else f"p = {p:.1e}"
