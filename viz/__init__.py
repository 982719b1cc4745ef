"""Arrays and tokens in, figure out."""
