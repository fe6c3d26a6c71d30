"""What Locus claims about speed and quality, with the peers in the same run (docs/benchmarks.md)."""
