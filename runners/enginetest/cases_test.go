package enginetest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/ref"
)

// TestReference runs the suite on the reference itself: the checks that need no second
// device (unwritten elements, inputs, accounts, shapes) hold, and each operation calls the
// methods that it is the case of.
func TestReference(t *testing.T) {
	r := &recorder{Device: ref.New()}
	for _, c := range cases {
		r.called = map[string]bool{}
		Run(t, r, Options{Cases: []string{c.name}})
		for _, m := range strings.Fields(c.methods) {
			if !r.called[m] {
				t.Errorf("%s is said to be the case of %s, which it does not call (or recorder does not note it)", c.name, m)
			}
		}
	}
	Run(t, r, Options{Cases: []string{"company"}})
}

// TestUncovered: a method without a case is named.
func TestUncovered(t *testing.T) {
	if left := uncovered(interfaces, cases); len(left) > 0 {
		t.Errorf("without a case: %v", left)
	}
	type later interface {
		engine.Trimmer
		Transpose()
	}
	if got := uncovered([]reflect.Type{reflect.TypeFor[later]()}, cases); !slices.Equal(got, []string{"enginetest.later.Transpose"}) {
		t.Errorf("a method that no case has: %v", got)
	}
	without := slices.DeleteFunc(slices.Clone(cases), func(c operation) bool { return c.name == "argmax" })
	if got := uncovered(interfaces, without); !slices.Equal(got, []string{"engine.Device.ArgMax"}) {
		t.Errorf("without the case of ArgMax: %v", got)
	}
	for _, c := range cases {
		for _, m := range strings.Fields(c.methods) {
			has := func(i reflect.Type) bool { _, ok := i.MethodByName(m); return ok }
			if !slices.ContainsFunc(interfaces, has) {
				t.Errorf("%s is said to be the case of %s, which no interface has", c.name, m)
			}
		}
	}
}

// TestInterfaces: every interface of package engine is known to be a device's, whose
// methods want cases, or not to be one.
func TestInterfaces(t *testing.T) {
	known := []string{"Batch", "Random", "Rotary", "Stored", "Weight"} // what devices are given and give
	for _, i := range interfaces {
		known = append(known, i.Name())
	}
	files, err := filepath.Glob("../engine/*.go")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if s, ok := n.(*ast.TypeSpec); ok {
				if _, is := s.Type.(*ast.InterfaceType); is {
					found = append(found, s.Name.Name)
				}
			}
			return true
		})
	}
	slices.Sort(found)
	slices.Sort(known)
	if !slices.Equal(found, known) {
		t.Errorf("the interfaces of package engine are %v, known are %v: add a device's to interfaces in cases.go, another here", found, known)
	}
}
