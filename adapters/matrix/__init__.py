"""Matrix: encrypted and plain rooms over matrix-nio. Needs the extra `matrix`."""
