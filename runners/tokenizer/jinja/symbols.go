package jinja

import "maps"

// Names are bound before a template runs, as in Jinja2's compiler. Each frame (the
// template, a loop's body, a macro …) lists the names that it stores, and where
// each gets its value when the frame is entered. So a name that is set after a loop
// is undefined in it, even if the caller gave a value, and names that are set in a
// loop do not exist after it.

// identifier is a name within the frame at a level.
type identifier struct {
	level int
	name  string
}

type source int

const (
	fromParameter source = iota // set by the code that enters the frame
	fromCaller                  // the variables of the rendering
	fromOuter                   // another identifier's value
	fromNowhere                 // undefined until stored
)

type origin struct {
	source source
	outer  identifier
}

// symbols are the names of a frame.
type symbols struct {
	level  int
	parent *symbols
	refs   map[string]identifier
	loads  map[identifier]origin
	stores map[string]bool
}

func newSymbols(parent *symbols) *symbols {
	s := &symbols{parent: parent, refs: map[string]identifier{}, loads: map[identifier]origin{}, stores: map[string]bool{}}
	if parent != nil {
		s.level = parent.level + 1
	}
	return s
}

func (s *symbols) copy() *symbols {
	c := *s
	c.refs, c.loads, c.stores = maps.Clone(s.refs), maps.Clone(s.loads), maps.Clone(s.stores)
	return &c
}

func (s *symbols) define(name string, o origin) identifier {
	id := identifier{s.level, name}
	s.refs[name] = id
	s.loads[id] = o
	return id
}

func (s *symbols) find(name string) (identifier, bool) {
	for ; s != nil; s = s.parent {
		if id, ok := s.refs[name]; ok {
			return id, true
		}
	}
	return identifier{}, false
}

func (s *symbols) store(name string) {
	s.stores[name] = true
	if _, ok := s.refs[name]; ok {
		return
	}
	if s.parent != nil {
		if outer, ok := s.parent.find(name); ok {
			s.define(name, origin{fromOuter, outer})
			return
		}
	}
	s.define(name, origin{source: fromNowhere})
}

func (s *symbols) parameter(name string) identifier {
	s.stores[name] = true
	return s.define(name, origin{source: fromParameter})
}

func (s *symbols) load(name string) {
	if _, ok := s.find(name); !ok {
		s.define(name, origin{source: fromCaller})
	}
}

// merge adds the names of the branches of an if. A name that only some branches
// store keeps its value in the others.
func (s *symbols) merge(branches ...*symbols) {
	stored := map[string]bool{}
	for _, b := range branches {
		for name := range b.stores {
			if !s.stores[name] {
				stored[name] = true
			}
		}
	}
	for _, b := range branches {
		maps.Copy(s.refs, b.refs)
		maps.Copy(s.loads, b.loads)
		maps.Copy(s.stores, b.stores)
	}
	for name := range stored {
		id, _ := s.find(name)
		o := origin{source: fromCaller}
		if s.parent != nil {
			if outer, ok := s.parent.find(name); ok {
				o = origin{fromOuter, outer}
			}
		}
		s.loads[id] = o
	}
}

// see adds the names of statements and expressions, except those of inner frames.
func (s *symbols) see(nodes ...node) {
	for _, n := range nodes {
		switch n := n.(type) {
		case nil:
		case *name:
			if n.store {
				s.store(n.id)
			} else {
				s.load(n.id)
			}
		case *attributeTarget:
			s.load(n.id)
		case *ifNode:
			s.seeIf(n)
		case *macroNode:
			s.store(n.name)
		case *setNode:
			s.see(n.x, n.target)
		case *setBlock:
			s.see(n.target)
		case *forLoop:
			s.see(n.over)
		case *callBlock:
			if n.call != nil {
				s.see(n.call)
			}
		case *filterBlock:
			s.see(n.filter)
		case *with:
			s.see(n.values...)
		default:
			s.see(children(n)...)
		}
	}
}

// seeIf adds the names of an if. In Jinja2 the elifs are separate ifs, one after the
// other in a branch of the first.
func (s *symbols) seeIf(n *ifNode) {
	s.see(n.tests[0])
	body, elifs, otherwise := s.copy(), s.copy(), s.copy()
	body.see(n.bodies[0]...)
	for k := 1; k < len(n.tests); k++ {
		elifs.see(n.tests[k])
		branch := elifs.copy()
		branch.see(n.bodies[k]...)
		elifs.merge(branch)
	}
	otherwise.see(n.otherwise...)
	s.merge(body, elifs, otherwise)
}

// parameters adds the names that are assigned when a frame is entered.
func (s *symbols) parameters(target node) {
	inspect(target, func(n node) bool {
		switch n := n.(type) {
		case *name:
			s.parameter(n.id)
		case *attributeTarget:
			s.load(n.id)
		}
		return true
	})
}
