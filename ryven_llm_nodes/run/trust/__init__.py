"""What an untrusted flow would run, fetch, send or write, and what the user of this machine has allowed."""
