"""Amounts on an axis and in words, each in its unit."""

from gatewatch.web.pages.numbers import duration, money, number, percent


def label(value: float, unit: str) -> str:
    """A round amount beside an axis, in as few letters as will do."""
    if unit == "percent":
        return f"{100 * value:.6g}%"
    if unit == "seconds":
        return f"{1000 * value:.6g} ms" if abs(value) < 1 and value else f"{value:.6g} s"
    return f"${value:.6g}" if unit == "dollars" else f"{value:,.6g}"


def amount(value: float | None, unit: str) -> str:
    """An amount: a score ("share" of 1), a "percent" of a whole, "seconds", "dollars", or a plain number ("")."""
    if unit == "percent":
        return percent(value)
    if unit == "seconds":
        return duration(value)
    if unit == "dollars":
        return money(value)
    return number(value)
