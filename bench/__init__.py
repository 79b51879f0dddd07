"""The project's benchmarks: `make bench`, or `make bench ONLY="search answer"`."""
