package main

import "strings"

// listFlag is the value of a flag that lists texts. Commas within brackets do not separate
// entries: "full,[64,64,128]" are two, the second with a value for each layer.
type listFlag struct {
	list    *[]string
	changed bool // by the user, whose first list takes the default's place and whose next ones add to it
}

func newListFlag(list *[]string, value ...string) *listFlag {
	*list = value
	return &listFlag{list: list}
}

func (l *listFlag) String() string {
	if l.list == nil || len(*l.list) == 0 { // pflag asks the zero value too
		return ""
	}
	return "[" + strings.Join(*l.list, ",") + "]"
}

func (l *listFlag) Type() string { return "strings" }

func (l *listFlag) Set(s string) error {
	if !l.changed {
		*l.list, l.changed = nil, true
	}
	return l.Append(s)
}

func (l *listFlag) Append(s string) error {
	*l.list = append(*l.list, outside(s)...)
	return nil
}

// Replace puts a default in the place of another one.
func (l *listFlag) Replace(list []string) error {
	*l.list = outside(strings.Join(list, ","))
	return nil
}

func (l *listFlag) GetSlice() []string { return *l.list }
