"""How Sphinx builds the manual: `make docs`."""

project = "Linewright"
author = "The Linewright authors"
extensions = ["myst_parser"]
exclude_patterns = [
    "decisions",  # for those who change the program, not for those who use it
    "semantics.md",  # stands inside model-reference.md
]
html_theme = "alabaster"
html_theme_options = {
    "body_max_width": "none",
    "description": "One model of a production line.",
    "page_width": "1200px",
}
html_show_copyright = False
myst_heading_anchors = 3
