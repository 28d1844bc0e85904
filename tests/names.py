"""Which names a piece of a notebook's code gives, takes and changes, read from the code."""

import ast
import builtins
import symtable

# methods that change their object, and functions that change their first argument; so does every name with _ at its end
CHANGES = {"fit", "train", "step", "backward", "append", "update", "extend", "add", "at", "start", "eval",
           "load_state_dict", "compile"}
SHOWS = {"print", "plt", "plots", "axes", "figure"}


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


def called(call):
    """The last name of what is called: `fit` of `model.fit()`."""
    return getattr(call.func, "attr", getattr(call.func, "id", ""))


def changes(call, own=()):
    """Whether it changes something: by its name, or because it is one of the notebook's `own` that do."""
    return called(call) in CHANGES or called(call).endswith("_") or called(call) in own


def that_change(trees):
    """The names of the functions among some statements that change something."""
    functions = [tree for tree in trees if isinstance(tree, ast.FunctionDef)]
    own = set()
    for _ in functions:                                     # one may call another
        own |= {function.name for function in functions for node in ast.walk(function)
                if isinstance(node, ast.Call) and changes(node, own)}
    return own


class Statement:
    """A statement and its names. It

    - `gives` some a value, and `settles` those that have no part of an older one;
    - `takes` some, `later` those that are read only when a function is called;
    - `changes` what other names hold.
    """

    def __init__(self, tree, own=(), modules=()):
        self.tree, self.code = tree, ast.unparse(tree)
        table = symtable.symtable(self.code, "cell", "exec")
        self.gives = {name.get_name() for name in table.get_symbols()
                      if name.is_assigned() or name.is_imported() or name.is_namespace()}
        self.takes = {name.get_name() for name in table.get_symbols() if name.is_referenced()}
        self.later = set()
        for scope, later in inner(table):
            found = {name.get_name() for name in scope.get_symbols() if name.is_referenced() and name.is_global()}
            self.takes |= found
            self.later |= found if later else set()
        anew = isinstance(tree, ast.Assign | ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef)
        self.settles = set(self.gives) if anew else set()
        if isinstance(tree, ast.For | ast.With):
            self.read_body()
        self.changes = set() if isinstance(tree, ast.FunctionDef | ast.ClassDef) else self.changed(own, modules)

    def read_body(self):
        """One statement after the other; a loop is believed to run at least once."""
        head = used(self.tree.iter) if isinstance(self.tree, ast.For) else {
            name for item in self.tree.items for name in used(item)}
        target = used(self.tree.target) if isinstance(self.tree, ast.For) else set()
        self.gives, self.takes = self.gives - target, head
        for part in map(Statement, self.tree.body):
            self.settles |= part.settles - part.takes - self.takes
            self.takes |= part.takes - self.settles - target

    def changed(self, own, modules):
        nodes = list(ast.walk(self.tree))
        alone = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
        found = {root(node) for node in nodes if isinstance(getattr(node, "ctx", None), ast.Store | ast.Del)
                 and not isinstance(node, ast.Name)}
        for node in nodes:
            if not isinstance(node, ast.Call) or root(node.func) in SHOWS:
                continue
            if changes(node, own) or id(node) in alone:
                function = isinstance(node.func, ast.Name) or root(node.func) in modules
                found |= set(map(root, node.args[:1])) if function else {root(node.func)}
                if called(node) in ("step", "backward"):    # an optimiser changes what the loss was computed with
                    found |= {root(other.func) for other in nodes if isinstance(other, ast.Call)}
        for node in nodes:
            if isinstance(node, ast.For) and found & used(node.target):
                found |= used(node.iter)
        return found - {None} - set(modules) - set(dir(builtins))

    @property
    def runs(self):
        """Whether it does more than import or define."""
        return not isinstance(self.tree, ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef)

    @property
    def seeds(self):
        """Whether it sets the state of random numbers."""
        alone = getattr(self.tree, "value", None) if isinstance(self.tree, ast.Expr) else None
        return isinstance(alone, ast.Call) and "seed" in called(alone)

    @property
    def asks(self):
        """Whether it holds a claim."""
        return any(isinstance(node, ast.Call) and called(node) == "holds" for node in ast.walk(self.tree))


def inner(table, later=False):
    """All scopes within one, and whether they are run later than where they stand."""
    for scope in table.get_children():
        comprehension = scope.get_name() in ("genexpr", "listcomp", "setcomp", "dictcomp")
        deferred = later or scope.get_type() == "function" and not comprehension
        yield scope, deferred
        yield from inner(scope, deferred)
