"""When the documents were mended: open questions are asked again, and who agreed to it is told the answer."""
