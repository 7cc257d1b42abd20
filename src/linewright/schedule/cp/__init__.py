"""A problem as a CP-SAT model, subject by subject: `schedule._model` puts it together.

`facts` is what is known of a problem before, `variables` what all subjects share.
`operations`, `batches`, `servers`, `links`, `needs` and `fixing` add the rules, and
`objectives` what counts.
"""
