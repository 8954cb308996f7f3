"""Download artifacts and logs of CI runs through the services' REST APIs, only what is new, and say whose they are."""
