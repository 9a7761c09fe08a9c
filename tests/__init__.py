"""The tests; a package, since pynq installs one of the same name, which would come first."""
