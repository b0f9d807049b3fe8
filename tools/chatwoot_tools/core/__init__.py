"""The ten tools of the toolset ``core``: a module or a package each, named as the tool."""
