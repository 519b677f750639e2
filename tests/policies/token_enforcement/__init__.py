"""What token enforcement does, file by file."""
