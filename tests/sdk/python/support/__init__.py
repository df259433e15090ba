"""What the scenarios stand on: a node, people with the official SDK, tokens."""
