"""``make gpu``: whether everything that is claimed of a GPU holds on this one."""
