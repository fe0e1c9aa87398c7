package emulator

// register is a virtual register: predicates are masks of lanes, registers of up
// to 32 bits live in one file of the warp, those of 64 bits in another.
type register struct {
	width int // bits: 1, 8, 16, 32, 64
	index int // in its file
}

// variable is a .shared or .local array.
type variable struct {
	name   string
	space  space
	align  int
	bytes  int  // 0 where the launch decides
	extern bool // dynamic shared memory
	order  int
}

// scope is a block { } of a function. Its registers, labels and arrays hide those of the same
// names outside.
type scope struct {
	parent    *scope
	registers map[string]register
	labels    map[string]int // index of the statement behind it
	variables map[string]*variable
}

func newScope(parent *scope) *scope {
	return &scope{parent, map[string]register{}, map[string]int{}, map[string]*variable{}}
}

func (s *scope) register(name string) (register, bool) {
	for ; s != nil; s = s.parent {
		if r, ok := s.registers[name]; ok {
			return r, true
		}
	}
	return register{}, false
}

func (s *scope) variable(name string) *variable {
	for ; s != nil; s = s.parent {
		if v := s.variables[name]; v != nil {
			return v
		}
	}
	return nil
}

func (s *scope) label(name string) (int, bool) {
	for ; s != nil; s = s.parent {
		if at, ok := s.labels[name]; ok {
			return at, true
		}
	}
	return 0, false
}
