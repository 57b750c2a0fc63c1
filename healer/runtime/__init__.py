"""The only place that awaits for long: inbox, poll, dispatch, loop, signals."""
