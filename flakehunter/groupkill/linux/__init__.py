"""What group kill is on Linux: its backends, /proc, cgroups, namespaces and pidfds."""
