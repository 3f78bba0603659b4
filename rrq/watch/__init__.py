"""Development: a worker that starts anew whenever a file changes."""
