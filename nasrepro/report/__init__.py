"""What the book shows: tables, figures and pages, made from records."""
