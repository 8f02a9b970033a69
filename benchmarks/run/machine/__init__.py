"""What a machine has for a run and what it gives to others, read at the marks of phases.

``speed`` times a fixed piece of work, ``cpu`` reads who took CPU time, ``control_groups`` the limits that this process lives
under, ``watch`` puts them together.
"""
