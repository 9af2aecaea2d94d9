"""Judges beside people: figures, tables, charts, pages."""
