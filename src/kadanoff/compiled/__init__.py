"""Updates compiled by numba for CPUs and called by XLA without a copy; other devices do without."""
