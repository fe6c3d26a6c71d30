"""One package or module per chat; each only translates."""
