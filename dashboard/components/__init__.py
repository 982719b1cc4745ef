"""Parts of a page that run in the browser."""
