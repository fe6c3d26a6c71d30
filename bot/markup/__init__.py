"""Formatted text between the Markdown of answers and the markups of chats."""
