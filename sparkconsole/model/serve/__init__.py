"""A served model: what is asked, the ranks, the room, and whether it hangs."""
