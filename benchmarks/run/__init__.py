"""What makes runs: labs, nodes, devices, one run, the suite. All I/O on what is measured is here."""
