"""The sections of the brief, one module each: facts in, one message and picture out."""
