"""What both approval examples share."""
