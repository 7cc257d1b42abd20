"""How the line moves: compiled code that knows `tables` alone."""
