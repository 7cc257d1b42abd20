"""Statistics over replications and series; each module says what it stands on."""
