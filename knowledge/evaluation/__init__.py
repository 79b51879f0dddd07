"""Measuring retrieval on question sets: the arithmetic, the sets, the report. See docs/retrieval.md."""
