"""How each published data set is written down: one file a family, each function from its `Files` to a `Dataset`."""
