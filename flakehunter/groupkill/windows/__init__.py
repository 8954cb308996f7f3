"""What group kill is on Windows: Job Objects, through the Win32 calls."""
