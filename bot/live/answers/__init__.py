"""One module for each kind of live answer: from a lookup, the port and a `Writing` to text, pictures and files."""
