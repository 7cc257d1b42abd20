"""What a line can do by formula: exact chains, an approximation, and bounds.

Nothing here simulates. `FlowLine` says what is evaluated; `chains.exact` solves short
lines exactly, with derivatives; `decomposition.estimate` answers for lines of any
length, with a known error; `bounds` never says too little; `designs` finds the best of
many designs, with a proof.
"""
