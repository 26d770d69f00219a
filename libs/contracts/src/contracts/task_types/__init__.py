"""Task types, a file each: the options, the result, and what a task of the type starts from and goes to."""
