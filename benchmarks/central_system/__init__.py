"""What `benchmarks/csms.py` measures with: the central systems under test in a process of their own, and stations that cost little."""
