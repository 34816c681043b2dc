"""Pure drawing that several views share: text in, lines out."""
