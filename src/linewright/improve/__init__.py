"""What holds a line back, what each change is worth, and which ones to choose."""
