"""Side-by-side benchmarks: agreement is asserted before anything is timed. See docs/benchmarks.md."""
