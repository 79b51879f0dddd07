"""What needs a CUDA device; skipped and counted where there is none."""
