"""`rrq top`: a live full-screen view of queues, workers and running jobs."""
