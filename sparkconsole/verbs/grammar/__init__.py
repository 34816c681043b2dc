"""From words to what they do: registry, arguments, sessions, agreement, records."""
