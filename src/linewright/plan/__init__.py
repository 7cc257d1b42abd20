"""How much in each period: what targets ask for, what holds, and how sure that is."""
