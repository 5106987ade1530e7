"""Tell the world outside: a commit's status."""
