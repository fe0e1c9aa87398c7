package jinja

// node is a statement or an expression.
type node interface{}

// slot is the place of a name's value while a template runs: at an index in the
// function that is up levels above the running one.
type slot struct{ up, index int }

// Expressions.
type (
	constant struct{ value Value }
	// name is a variable that is read or, if store is set, assigned to.
	name struct {
		id    string
		store bool
		line  int
		slot  slot
	}
	// attributeTarget is ns.attribute = ….
	attributeTarget struct {
		id, attribute string
		line          int
		slot          slot
	}
	tuple     struct{ items []node }
	list      struct{ items []node }
	dictNode  struct{ keys, values []node }
	condition struct{ test, yes, no node } // no may be nil
	logic     struct {
		or          bool
		left, right node
	}
	not   struct{ x node }
	unary struct {
		negative bool
		x        node
	}
	binary struct {
		op          string
		left, right node
	}
	concat  struct{ items []node }
	compare struct {
		x   node
		ops []comparison
	}
	comparison struct {
		op string
		x  node
	}
	attribute struct {
		x    node
		name string
	}
	item struct{ x, at node }
	// slice is the a:b:c of x[a:b:c]; each may be nil.
	slice struct{ from, to, step node }
	call  struct {
		f node
		arguments
	}
	filter struct {
		x    node // nil: the text of a block
		name string
		arguments
		known *filterFunction
		line  int
	}
	test struct {
		x    node
		name string
		arguments
		known testFunction
		line  int
	}
)

// arguments are the arguments of a call.
type arguments struct {
	plain   []node
	named   []namedNode
	list    node // *list
	mapping node // **mapping
}

type namedNode struct {
	name string
	x    node
}

// Statements.
type (
	output struct {
		items []node // expressions and constant text
		line  int
	}
	forLoop struct {
		target, over, test node
		testTarget         node // the target with the variables of the test
		body, otherwise    []node
		recursive          bool
		line               int

		loop                     slot
		function, testFunction   *function // function: of a recursive loop
		load, testLoad, elseLoad []load
	}
	ifNode struct {
		tests     []node
		bodies    [][]node
		otherwise []node
		line      int
	}
	setNode struct {
		target, x node
		line      int
	}
	setBlock struct {
		target node
		filter node // nil, or filters of the text
		body   []node
		line   int
		load   []load
	}
	macroNode struct {
		name string
		line int
		slot slot
		signature
	}
	callBlock struct {
		call *call // nil for a generation tag, which renders only the body
		line int
		signature
	}
	filterBlock struct {
		filter node
		body   []node
		line   int
		load   []load
	}
	with struct {
		targets, values []node
		body            []node
		line            int
		load            []load
	}
	breakNode    struct{ line int }
	continueNode struct{ line int }
)

// signature is the common part of macros and call blocks.
type signature struct {
	parameters []*name
	defaults   []node // of the last parameters
	body       []node

	function                *function
	load                    []load
	caller, kwargs, varargs *slot  // nil unless the body uses them and they are not parameters
	given                   []slot // the slots of parameters
}

// children returns the parts of a node in the same order as Jinja2.
func children(n node) []node {
	switch n := n.(type) {
	case *tuple:
		return n.items
	case *list:
		return n.items
	case *dictNode:
		var all []node
		for i := range n.keys {
			all = append(all, n.keys[i], n.values[i])
		}
		return all
	case *condition:
		return some(n.test, n.yes, n.no)
	case *logic:
		return []node{n.left, n.right}
	case *not:
		return []node{n.x}
	case *unary:
		return []node{n.x}
	case *binary:
		return []node{n.left, n.right}
	case *concat:
		return n.items
	case *compare:
		all := []node{n.x}
		for _, op := range n.ops {
			all = append(all, op.x)
		}
		return all
	case *attribute:
		return []node{n.x}
	case *item:
		return []node{n.x, n.at}
	case *slice:
		return some(n.from, n.to, n.step)
	case *call:
		return append([]node{n.f}, n.nodes()...)
	case *filter:
		return append(some(n.x), n.nodes()...)
	case *test:
		return append(some(n.x), n.nodes()...)
	case *output:
		return n.items
	case *forLoop:
		return join(some(n.target, n.over), n.body, n.otherwise, some(n.test))
	case *ifNode:
		var all []node
		for i := range n.tests {
			all = append(append(all, n.tests[i]), n.bodies[i]...)
		}
		return append(all, n.otherwise...)
	case *setNode:
		return []node{n.target, n.x}
	case *setBlock:
		return join(some(n.target, n.filter), n.body)
	case *macroNode:
		return n.nodes()
	case *callBlock:
		if n.call == nil {
			return n.nodes()
		}
		return append([]node{n.call}, n.nodes()...)
	case *filterBlock:
		return join(n.body, some(n.filter))
	case *with:
		return join(n.targets, n.values, n.body)
	}
	return nil
}

func (a *arguments) nodes() []node {
	all := append([]node(nil), a.plain...)
	for _, k := range a.named {
		all = append(all, k.x)
	}
	return append(all, some(a.list, a.mapping)...)
}

func (s *signature) nodes() []node {
	var all []node
	for _, p := range s.parameters {
		all = append(all, p)
	}
	return join(all, s.defaults, s.body)
}

func some(nodes ...node) []node {
	var all []node
	for _, n := range nodes {
		if n != nil {
			all = append(all, n)
		}
	}
	return all
}

func join(lists ...[]node) []node {
	var all []node
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}

// inspect calls visit for a node and all nodes in it. If visit returns false, it
// skips the nodes in that node.
func inspect(n node, visit func(node) bool) {
	if n == nil || !visit(n) {
		return
	}
	for _, c := range children(n) {
		inspect(c, visit)
	}
}
