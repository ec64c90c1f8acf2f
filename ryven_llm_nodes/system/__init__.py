"""What this package asks of the operating system: files written whole, processes, the user's folders."""
