"""Tests of rules, played: the real core, a world made of series, and what must be so at each moment."""
