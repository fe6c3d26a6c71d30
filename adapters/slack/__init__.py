"""Slack: the bot as a colleague in channels, threads and direct messages."""
