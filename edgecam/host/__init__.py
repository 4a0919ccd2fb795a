"""What the board is: processors, memory, disk, kernel files, commands."""
