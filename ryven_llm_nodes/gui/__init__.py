"""The editor's own part: Qt only. Loaded by Ryven through ``nodes.py``, never without a window."""


def load() -> None:
    """Registers how the nodes look, mends the host, and adds the shell once Ryven's window is complete."""
    from ryven_llm_nodes.gui import node_gui  # noqa: F401  # registers by being imported
    from ryven_llm_nodes.gui.style.theme import kind_colour, paint_pin
    from ryven_llm_nodes.gui.window.shell import install_later
    from ryven_llm_nodes.host import canvas, node_list, ports, versions  # noqa: F401  # their workarounds

    versions.apply_workarounds()
    ports.colour_ports(kind_colour, paint_pin)
    install_later()
