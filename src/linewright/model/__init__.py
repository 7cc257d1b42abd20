"""What a line is: the model file, its rules, and what changed."""
