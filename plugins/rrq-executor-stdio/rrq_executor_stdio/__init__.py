"""The transport `stdio`: executors in any language, as processes that speak JSON Lines."""
