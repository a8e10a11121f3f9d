"""What verbs share: options, messages, progress, signals and streams."""
