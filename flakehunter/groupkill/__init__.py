"""End a whole group of processes, wait until it is really gone, and report every member."""
