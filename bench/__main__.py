"""Run all benchmarks, or those named, print their table and keep their rows."""

import importlib
import sys

from bench.figure import Figure, keep, table

# name → module with a function `measure() -> list[Figure]`
BENCHMARKS = {
    "exact": "bench.exact",
    "generation": "bench.generation",
    "gpu": "bench.gpu",
    "needles": "bench.needles",
    "opinions": "bench.opinions",
    "reading": "bench.reading",
    "runs": "bench.runs",
    "search": "bench.search",
    "ingestion": "bench.ingestion",
    "pipeline": "bench.pipeline",
    "local": "bench.local",
    "service": "bench.service",
    "signing_in": "bench.signing_in",
    "injection": "bench.injection",
    "walls": "bench.walls",
}


def main() -> int:
    names = sys.argv[1:] or list(BENCHMARKS)
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        print(f"No benchmark {', '.join(unknown)}. There are: {', '.join(BENCHMARKS)}.", file=sys.stderr)
        return 2
    figures: list[Figure] = []
    for name in names:
        print(f"… {name}", file=sys.stderr)
        measured = importlib.import_module(BENCHMARKS[name]).measure()
        keep(measured, f"make bench ONLY={name}")
        figures += measured
    print(table(figures))
    return 0 if all(figure.met is not False for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
