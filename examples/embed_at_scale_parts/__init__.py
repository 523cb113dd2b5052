"""What ``embed_at_scale.py`` is made of."""
