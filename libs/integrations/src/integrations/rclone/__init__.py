"""Sources that are not files on this machine, shown as a directory by rclone."""
