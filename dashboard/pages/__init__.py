"""The pages, one file each, in the order of streamlit_app.py."""
