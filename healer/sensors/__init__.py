"""Sensors: one file per kind of looking."""
