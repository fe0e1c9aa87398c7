package compress

import "strings"

// CallList lists policies as they are written on a command line, separated by commas;
// those within parentheses separate nothing. It is a flag's value: what is set first
// replaces the list that is there, and what is set later is added.
type CallList struct {
	List []string
	set  bool
}

// String writes the list as it is read.
func (l *CallList) String() string { return strings.Join(l.List, ",") }

// Type names the kind of value in help texts.
func (l *CallList) Type() string { return "policies" }

// Set reads one flag.
func (l *CallList) Set(s string) error {
	if !l.set {
		l.List, l.set = nil, true
	}
	return l.Append(s)
}

// Append adds the policies of a text.
func (l *CallList) Append(s string) error {
	l.List = append(l.List, SplitOutside(s)...)
	return nil
}

// Replace takes other policies instead. Entries that were cut within parentheses are put
// together again.
func (l *CallList) Replace(list []string) error {
	l.List, l.set = SplitOutside(strings.Join(list, ",")), true
	return nil
}

// GetSlice returns the list.
func (l *CallList) GetSlice() []string { return l.List }

// SplitOutside splits a text at commas that stand outside of parentheses, brackets and
// braces.
func SplitOutside(s string) []string {
	var parts []string
	depth, start := 0, 0
	for i, c := range s {
		switch c {
		case '(', '[', '{':
			depth++
		case ')', ']', '}':
			depth--
		case ',':
			if depth == 0 {
				parts, start = append(parts, s[start:i]), i+1
			}
		}
	}
	if parts = append(parts, s[start:]); len(parts) == 1 && strings.TrimSpace(s) == "" {
		return nil
	}
	return parts
}
