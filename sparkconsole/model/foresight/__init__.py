"""What plans will have changed, and what a look at a node would find then."""
