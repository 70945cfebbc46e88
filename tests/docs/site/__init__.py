"""What is particular to the documentation site."""
