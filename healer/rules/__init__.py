"""Rules: the expression language, the loader, and the evaluation of conditions."""
