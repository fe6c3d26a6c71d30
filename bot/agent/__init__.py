"""Turning evidence into answers: quoting the documents, or writing with a language model."""
