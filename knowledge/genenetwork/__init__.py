"""GeneNetwork's services, asked politely: species, groups, datasets, traits, mapping, genes. Public data only."""
