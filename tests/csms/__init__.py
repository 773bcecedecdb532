"""The central system against real sockets."""
