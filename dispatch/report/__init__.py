"""The office's report: a day, a week or a month as a page to print, as CSV and as JSON."""
