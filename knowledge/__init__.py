"""Documents and retrieval: sources, parsing, chunking, embedding, index, ranking, evaluation."""
