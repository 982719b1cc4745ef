"""Maths on traces and models: what a picture needs beyond what a run returns."""
