"""What to change: choosing among designs whose worth is known only by simulation."""
