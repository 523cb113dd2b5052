"""What the emulated model says: pure functions from a conversation to an answer.

Nothing here is random and nothing sees HTTP. Answers are extractive: they quote the text they
were given, call the tools that were asked for, and fill schemas from what was said.
"""
