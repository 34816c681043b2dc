"""What a build and a copy need of nodes, and how an image travels."""
