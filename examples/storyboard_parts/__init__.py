"""What ``storyboard.py`` is made of."""
