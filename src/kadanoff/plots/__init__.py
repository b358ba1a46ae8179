"""Figures: one a function, from data and a path to the path; nothing else imports matplotlib."""
