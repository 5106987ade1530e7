"""Attributes by computed names."""


class Visitor:
    def visit(self, node):
        return getattr(self, "visit_" + type(node).__name__)(node)

    def visit_int(self, node):
        return node + 1

    def visit_str(self, node):
        return node.upper()
