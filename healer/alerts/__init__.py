"""Who is told what, and when: pure, fed with what is wrong now."""
