"""The web pages: health for machines, the dashboard for the lab."""
