"""Your own scorers: what "good" means for this application, in Python.

A scorer asks for what it needs by name: output, expected, input, context, trace, case. It returns a bool, a number from
0 to 1 (1 is always good), or None when it has nothing to say.
"""

from gatewatch import scorer


@scorer
def states_the_answer(output: str, expected: str) -> bool:
    """Whether the expected answer is in the output, whatever stands around it."""
    return expected.lower() in output.lower()
