package compress

import "strings"

// ValueList is the value of a flag that lists budgets or a parameter's values. Commas within
// brackets do not separate entries: "full,[64,64,128]" are two, the second with a value for
// each layer. What is set first replaces the list that is there, and what is set later is
// added.
type ValueList struct {
	list *[]string
	set  bool
}

// NewValueList returns a flag's value that keeps its list in into, with these as the default.
func NewValueList(into *[]string, values ...string) *ValueList {
	*into = values
	return &ValueList{list: into}
}

// String writes the list as help shows it; a list of nothing is empty.
func (l *ValueList) String() string {
	if l.list == nil || len(*l.list) == 0 { // flags are asked for their zero value too
		return ""
	}
	return "[" + strings.Join(*l.list, ",") + "]"
}

// Type names the kind of value in help texts.
func (l *ValueList) Type() string { return "strings" }

// Set reads one flag.
func (l *ValueList) Set(s string) error {
	if !l.set {
		*l.list, l.set = nil, true
	}
	return l.Append(s)
}

// Append adds the values of a text.
func (l *ValueList) Append(s string) error {
	*l.list = append(*l.list, SplitOutside(s)...)
	return nil
}

// Replace takes other values as the default.
func (l *ValueList) Replace(list []string) error {
	*l.list = SplitOutside(strings.Join(list, ","))
	return nil
}

// GetSlice returns the list.
func (l *ValueList) GetSlice() []string { return *l.list }
