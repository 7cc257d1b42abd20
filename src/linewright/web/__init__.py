"""The live page: a line as its journal has it, for those who look on.

`following` reads the journal and knows the line's state by doing its records again;
`spans` remembers what was counted at the start of the shift, day and week; `viewing`
turns the state into items that a page shows; `hub` knows which items changed when, so
that a stream that was cut goes on without a gap; `sessions` and `guard` say who may
look; `serving` joins them. This process opens the journal read-only and commands
nothing.
"""
