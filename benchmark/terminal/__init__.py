"""Terminal of all verbs: options, messages, progress, signals and streams."""
