"""GeneNetwork's data, live: what people type to see it, and the answers made from it."""
