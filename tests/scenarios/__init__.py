"""What holds in every chat, written once against a driver for each: see `driver` and `test_scenarios`."""
