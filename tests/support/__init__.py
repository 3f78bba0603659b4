"""What several tests need and no user does."""
