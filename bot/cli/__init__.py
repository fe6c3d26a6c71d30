"""The command line: options in, text or JSON out. What is done stands elsewhere."""
