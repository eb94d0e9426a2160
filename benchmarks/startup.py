"""What it costs to import Gatewatch and to ask its command for help."""

import sys

from benchmarks.measure import Report, child_cpu, child_output


def main() -> None:
    """Measure modules loaded and CPU time, beside an interpreter that does nothing."""
    report = Report()
    nothing = child_cpu(sys.executable, "-c", "")
    bare = child_cpu(sys.executable, "-c", "import gatewatch")
    help_ = child_cpu(sys.executable, "-m", "gatewatch", "--help")
    count = "import sys; {}; print(len(sys.modules))"
    report.line("an interpreter that does nothing", nothing * 1000, "ms CPU")
    report.line("import gatewatch", bare * 1000, "ms CPU", note=f"{bare / nothing:.2f} x nothing")
    report.line("gatewatch --help", help_ * 1000, "ms CPU", limit=80, note=f"{help_ / nothing:.2f} x nothing")
    report.line(
        "modules loaded by import gatewatch", float(child_output(count.format("import gatewatch"))), "modules", limit=80
    )
    report.exit()


if __name__ == "__main__":
    main()
