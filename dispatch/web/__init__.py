"""The dashboard: pages about one office for those who watch and manage it. A process of its own; it grants nothing."""
