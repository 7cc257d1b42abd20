"""The line, running: the kernel behind a journal, and jobs for the machines.

`core` decides and is a pure function of the journal's records; `journal` keeps them on
disk before anything leaves; `links` brings jobs to machines and their results back over
a network that may lose, repeat and delay everything; `plant` plays the machines. None
of them reads a clock: whoever drives them (`linewright.drivers`) says what time it is.
"""
