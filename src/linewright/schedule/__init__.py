"""Schedules: which order, where and when."""
