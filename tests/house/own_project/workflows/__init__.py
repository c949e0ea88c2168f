"""A user's own `workflows` package, beside `segue.workflows`."""
