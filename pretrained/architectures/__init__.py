"""One architecture a file; none of them knows text."""
