"""Rules of other supervisors, read and written down as rules of this one."""
