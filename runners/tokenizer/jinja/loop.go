package jinja

// loopValue is the variable loop of a for statement.
type loopValue struct {
	over   Value // the value over which the loop runs
	next   iterator
	index0 int
	depth0 int

	known         int // the length, -1 if not known yet
	before        Value
	current       Value
	ahead         Value // the next item, if it has been read already
	changedBefore Value
	recurse       func(r *run, over Value, depth int) (string, error) // nil if the loop is not recursive
}

func (r *run) newLoop(over Value, next iterator, depth int) *loopValue {
	return &loopValue{over: over, next: next, index0: -1, depth0: depth, known: -1}
}

// advance goes to the next item.
func (l *loopValue) advance() (Value, bool, error) {
	x := l.ahead
	if l.ahead = nil; x == nil {
		var ok bool
		var err error
		if x, ok, err = l.next(); err != nil || !ok {
			return nil, false, err
		}
	}
	l.index0++
	l.before, l.current = l.current, x
	return x, true, nil
}

// peek returns the item after the current one, nil at the end.
func (l *loopValue) peek() (Value, error) {
	if l.ahead == nil {
		x, ok, err := l.next()
		if err != nil || !ok {
			return nil, err
		}
		l.ahead = x
	}
	return l.ahead, nil
}

// length returns the number of items. If necessary it reads all of them.
func (l *loopValue) length(r *run) (int, error) {
	if l.known >= 0 {
		return l.known, nil
	}
	if l.over != nil {
		n, err := r.length(l.over)
		if err == nil {
			l.known = n
			return n, nil
		}
		if kindOf(err) != "TypeError" {
			return 0, err
		}
	}
	rest, err := r.collect(&generator{next: l.next})
	if err != nil {
		return 0, err
	}
	l.next = r.over(rest)
	l.known = len(rest) + l.index0 + 1
	if l.ahead != nil {
		l.known++
	}
	return l.known, nil
}

func (r *run) loopAttribute(l *loopValue, name string) (Value, bool, error) {
	whole := func(n int) (Value, bool, error) { return int64(n), true, nil }
	switch name {
	case "index":
		return whole(l.index0 + 1)
	case "index0":
		return whole(l.index0)
	case "depth":
		return whole(l.depth0 + 1)
	case "depth0":
		return whole(l.depth0)
	case "first":
		return l.index0 == 0, true, nil
	case "length", "revindex", "revindex0":
		n, err := l.length(r)
		if err != nil {
			return nil, true, err
		}
		switch name {
		case "revindex":
			n -= l.index0
		case "revindex0":
			n -= l.index0 + 1
		}
		return whole(n)
	case "last", "nextitem":
		x, err := l.peek()
		if err != nil {
			return nil, true, err
		}
		if name == "last" {
			return x == nil, true, nil
		}
		if x == nil {
			return &undefined{"UndefinedError", "there is no next item"}, true, nil
		}
		return x, true, nil
	case "previtem":
		if l.index0 == 0 {
			return &undefined{"UndefinedError", "there is no previous item"}, true, nil
		}
		return l.before, true, nil
	case "cycle":
		return &builtin{"cycle", func(r *run, args []Value, k []named) (Value, error) {
			if len(k) > 0 || len(args) == 0 {
				return nil, fail("TypeError", "no items for cycling given")
			}
			return args[l.index0%len(args)], nil
		}}, true, nil
	case "changed":
		return &builtin{"changed", func(r *run, args []Value, k []named) (Value, error) {
			if len(k) > 0 {
				return nil, fail("TypeError", "changed() got an unexpected keyword argument")
			}
			now := newTuple(args...)
			if l.changedBefore != nil {
				same, err := r.equal(l.changedBefore, now)
				if err != nil || same {
					return false, err
				}
			}
			l.changedBefore = now
			return true, nil
		}}, true, nil
	}
	return nil, false, nil
}
