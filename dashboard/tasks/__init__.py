"""The tasks of the applications page, one a file: how its model is chosen, and what is drawn of it."""
