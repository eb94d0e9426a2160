"""Texts that are hard to keep."""

HOSTILE = ("plain", "a\x00b", "\ud800", "x\udfff\x10y", "\x10dc00", "\x10", "\u202e\u200b", "\n\t\x7f", "\U0001f600")
"""Texts that have broken stores."""
