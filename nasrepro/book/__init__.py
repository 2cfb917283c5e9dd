"""Building the book: notebooks are executed into pages, pages are built, the result is looked at."""
