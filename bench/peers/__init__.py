"""Other people's programs that ours are measured against, each run in an environment of its own."""
