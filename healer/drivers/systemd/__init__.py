"""systemd, by its D-Bus interface: what its units are doing, told the moment it changes, and what is done to them."""
