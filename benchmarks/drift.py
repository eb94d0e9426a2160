"""What watching costs: microseconds that a detector takes for a value, with many strata and over a million values."""

import random
from time import process_time

from benchmarks.measure import Report
from gatewatch.stats.drift import Detector, Reference, delay, effect, onset

VALUES = 1_000_000
STRATA = 20


def main() -> None:
    """Measure and print."""
    rng = random.Random(0)
    values = [(f"slice {rng.randrange(STRATA)}", rng.betavariate(4, 1)) for _ in range(VALUES)]
    before = process_time()
    reference = Reference.of(values[:7000])
    report = Report()
    report.line("CPU, a reference of 7,000 values", 1e3 * (process_time() - before), "ms")
    detector = Detector(reference, threshold=90_000_000)
    update = detector.update
    before = process_time()
    for stratum, x in values:
        update(stratum, x)
    spent = process_time() - before
    report.line(f"CPU, a value of {VALUES:,}, {STRATA} strata", 1e6 * spent / VALUES, "us", limit=2.0)
    assert detector.state.n == VALUES
    before = process_time()
    effect(values[onset(values[-30_000:], reference) :][:30_000], reference)
    report.line("CPU, onset and effect in 30,000 values", 1e3 * (process_time() - before), "ms")
    before = process_time()
    delay(values[:30_000], reference, drop=0.05, threshold=90_000)
    report.line("CPU, how long a drop takes, from 30,000 values", process_time() - before, "s", limit=2.0)
    report.exit()


if __name__ == "__main__":
    main()
