"""The demo: the main job, done on real data through the HTTP API."""
