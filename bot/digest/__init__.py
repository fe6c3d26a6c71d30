"""The digest of new datasets: what is new in GeneNetwork, told once to the channels that care about it."""
