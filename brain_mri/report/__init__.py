"""Figures, the page's template, its words."""
