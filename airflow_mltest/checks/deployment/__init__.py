"""Questions to ask of a model behind its server: the same answers, soon, and none to nonsense."""
