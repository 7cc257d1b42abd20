"""From the records of a plant to a model, and whether a model still holds."""
