"""The parts of the quickstart; `quickstart.py` puts them together."""
