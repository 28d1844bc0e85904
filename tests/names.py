"""Which names a cell of a notebook gives and takes, read from its code."""

import ast


def used(tree):
    """The names that stand in it."""
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def bound(tree):
    """The names that it gives a value, or changes a part of; imports are not among them."""
    found = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    found |= {root(node) for node in ast.walk(tree) if isinstance(getattr(node, "ctx", None), ast.Store)}
    return found - {None}


def imported(tree):
    """The names that it imports."""
    return {(alias.asname or alias.name).split(".")[0] for node in ast.walk(tree)
            if isinstance(node, ast.Import | ast.ImportFrom) for alias in node.names}


def root(node):
    """The name at the beginning of `name.part[0].other`, if it is one."""
    while isinstance(node, ast.Subscript | ast.Attribute | ast.Starred):
        node = node.value
    return getattr(node, "id", None)
