"""What is done at set times, by one process of many; the only package that imports apscheduler (extra `run`)."""
