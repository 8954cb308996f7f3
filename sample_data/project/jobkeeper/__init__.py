"""jobkeeper runs jobs in process groups, keeps a journal of them, and ends them."""
