"""What neurons are made of: the class that all derive from, families, and how a layer runs."""
