"""Those who read clocks: they drive what is below in the time that a person sees."""
