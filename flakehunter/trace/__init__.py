"""Run a command under strace, read its output, and tell which looks were not ordered after a process's end."""
