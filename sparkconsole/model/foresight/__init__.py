"""What plans will have changed, what a look at a node would find then, and what our own actions end."""
