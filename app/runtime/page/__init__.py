"""The page `/docs`: the document, rendered for people."""
