"""The first day of an operator, played from nothing but a clone: `make try-install`, and in small in `tests/e2e/`."""
