//! The gateway: a reverse proxy on Pingora that checks passports
