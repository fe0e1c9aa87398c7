package compress

import (
	"fmt"
	"strings"
)

// Call names a policy, some of its arguments and the policy it is built on, as
// they are written: "ada(alpha=0.3,snapkv(k=5))".
type Call struct {
	Name      string
	Arguments []Setting
	Inner     *Call
}

// Setting is a parameter's name and a value's text.
type Setting struct{ Name, Text string }

// ParseCall reads a policy as it is written.
func ParseCall(s string) (Call, error) {
	r := reader{text: s}
	c, err := r.call(0)
	if err == nil {
		if r.space(); r.at < len(r.text) {
			err = fmt.Errorf("%q follows", r.text[r.at:])
		}
	}
	if err != nil {
		return Call{}, fmt.Errorf("policy %q: %w", strings.TrimSpace(s), err)
	}
	return c, nil
}

// String writes the call as it is read.
func (c Call) String() string {
	if len(c.Arguments) == 0 && c.Inner == nil {
		return c.Name
	}
	var parts []string
	for _, a := range c.Arguments {
		parts = append(parts, a.Name+"="+a.Text)
	}
	if c.Inner != nil {
		parts = append(parts, c.Inner.String())
	}
	return c.Name + "(" + strings.Join(parts, ",") + ")"
}

// argument returns a value's text.
func (c Call) argument(name string) (string, bool) {
	for _, a := range c.Arguments {
		if a.Name == name {
			return a.Text, true
		}
	}
	return "", false
}

// with returns the call with one more argument.
func (c Call) with(name, text string) Call {
	c.Arguments = append(c.Arguments[:len(c.Arguments):len(c.Arguments)], Setting{name, text})
	return c
}

// reader reads a call from the left.
type reader struct {
	text string
	at   int
}

// deepest is how far policies may be built on one another.
const deepest = 4

func (r *reader) call(depth int) (Call, error) {
	if depth > deepest {
		return Call{}, fmt.Errorf("more than %d policies are built on one another", deepest)
	}
	c := Call{Name: r.word()}
	if c.Name == "" {
		return c, fmt.Errorf("a policy's name is missing before %q", r.text[r.at:])
	}
	if r.space(); !r.skip('(') {
		return c, nil
	}
	for {
		start := r.at
		name := r.word()
		r.space()
		switch {
		case name != "" && r.skip('='):
			if _, twice := c.argument(name); twice {
				return c, fmt.Errorf("%s is given twice", name)
			}
			value := r.value()
			if value == "" {
				return c, fmt.Errorf("%s= has no value", name)
			}
			c.Arguments = append(c.Arguments, Setting{name, value})
		case name != "":
			if c.Inner != nil {
				return c, fmt.Errorf("%s is built on %s and on %s: want one", c.Name, c.Inner.Name, name)
			}
			r.at = start
			inner, err := r.call(depth + 1)
			if err != nil {
				return c, err
			}
			c.Inner = &inner
		default:
			return c, fmt.Errorf("%q is not name=value, nor a policy", strings.TrimSuffix(r.text[start:], ")"))
		}
		r.space()
		if r.skip(')') {
			return c, nil
		}
		if !r.skip(',') {
			return c, fmt.Errorf("%q: want a comma or a closing parenthesis", r.text[r.at:])
		}
	}
}

func (r *reader) space() {
	for r.at < len(r.text) && (r.text[r.at] == ' ' || r.text[r.at] == '\t' || r.text[r.at] == '\n') {
		r.at++
	}
}

func (r *reader) skip(c byte) bool {
	if r.at < len(r.text) && r.text[r.at] == c {
		r.at++
		return true
	}
	return false
}

// word reads letters, digits, '_' and '-'.
func (r *reader) word() string {
	r.space()
	start := r.at
	for r.at < len(r.text) {
		c := r.text[r.at]
		if c != '_' && c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			break
		}
		r.at++
	}
	return r.text[start:r.at]
}

// value reads up to a comma or a closing parenthesis; commas between brackets are
// part of it.
func (r *reader) value() string {
	start, inside := r.at, false
	for ; r.at < len(r.text); r.at++ {
		switch c := r.text[r.at]; {
		case c == '[':
			inside = true
		case c == ']':
			inside = false
		case !inside && (c == ',' || c == ')' || c == '('):
			return strings.TrimSpace(r.text[start:r.at])
		}
	}
	return strings.TrimSpace(r.text[start:])
}
