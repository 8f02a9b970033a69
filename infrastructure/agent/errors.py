"""What can go wrong at a node, each with a text for whoever asked."""


class NodeConflictError(Exception):
    """What was asked does not fit the node's present state or role."""


class BridgeError(Exception):
    """The framework could not carry out an order, or its bridge died over it."""


class SupervisionError(Exception):
    """The worker's processes could not be brought into the state that was asked for."""
