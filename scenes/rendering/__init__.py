"""Photos with their whole truth: a foot and lower leg on a sheet, rendered with Mitsuba 3."""
