"""The line as a picture: stations placed stage by stage, moves routed between them."""
