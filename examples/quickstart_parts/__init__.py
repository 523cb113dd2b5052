"""The parts of the quickstart; `quickstart.py` puts them together."""

INSTALL = 'install it with: pip install ".[all]" in the folder of doubao-integrations'
