"""The sandbox over HTTP: the app, the gate in front of it with its faults, and the pages."""
