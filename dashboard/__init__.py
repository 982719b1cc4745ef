"""The room that imports streamlit: figures and traces are put on pages, with words."""
